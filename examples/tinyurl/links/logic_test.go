package links_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/sysblocks/sysblocks/bloom"
	"github.com/sysblocks/sysblocks/examples/tinyurl/links"
	"github.com/sysblocks/sysblocks/examples/tinyurl/local"
	"github.com/sysblocks/sysblocks/idgen"
)

func site(t *testing.T, codes string) *local.System {
	t.Helper()
	s, err := local.Open(t.Context(), local.Options{Dir: t.TempDir(), Codes: codes, Cache: 0.1, Links: 1000})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(context.WithoutCancel(t.Context())); err != nil {
			t.Error(err)
		}
	})
	return s
}

func TestALinkMadeByOneInstanceIsKnownToAll(t *testing.T) {
	for _, codes := range []string{"segment", "snowflake"} {
		s := site(t, codes)
		for i, maker := range s.Services {
			made, err := maker.Create(t.Context(), links.Link{URL: "https://example.com/", Owner: "ada"})
			if err != nil {
				t.Fatal(err)
			}
			for j, service := range s.Services {
				if got, err := service.Resolve(t.Context(), made.Code); err != nil || got != made {
					t.Errorf("%s: made by %d, asked at %d: %+v, %v", codes, i, j, got, err)
				}
			}
		}
	}
}

func TestACodeThatSomebodyHasWishedForIsSkipped(t *testing.T) {
	codes := func() *links.Codes {
		c, err := links.NewSegmentCodes(new(idgen.MemoryCounter), []byte("sixteen bytes or more"))
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	first, err := codes().Next(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	s := site(t, "segment").Services[0]
	s.Codes = codes()
	if _, err := s.Create(t.Context(), links.Link{Code: first, URL: "https://example.com/eve", Owner: "eve"}); err != nil {
		t.Fatal(err)
	}
	made, err := s.Create(t.Context(), links.Link{URL: "https://example.com/ada", Owner: "ada"})
	if err != nil || made.Code == first {
		t.Errorf("%+v, %v", made, err)
	}
	if _, err := s.Create(t.Context(), links.Link{Code: first, URL: "https://example.com/", Owner: "ada"}); !errors.Is(err, links.ErrTaken) {
		t.Error(err)
	}
}

func TestADeletedCodeIsGoneForGood(t *testing.T) {
	s := site(t, "segment").Services[0]
	made, err := s.Create(t.Context(), links.Link{URL: "https://example.com/", Owner: "ada"})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Delete(t.Context(), "eve", made.Code); !errors.Is(err, links.ErrNotFound) {
		t.Errorf("somebody else's link: %v", err)
	}
	if _, err := s.Resolve(t.Context(), made.Code); err != nil {
		t.Error(err)
	}
	if err := s.Delete(t.Context(), "ada", made.Code); err != nil {
		t.Error(err)
	}
	if _, err := s.Resolve(t.Context(), made.Code); !errors.Is(err, links.ErrGone) {
		t.Error(err)
	}
	if _, err := s.Create(t.Context(), links.Link{Code: made.Code, URL: "https://example.com/", Owner: "eve"}); !errors.Is(err, links.ErrTaken) {
		t.Errorf("a deleted code is given out again: %v", err)
	}
}

// filter fails, or says no.
type filter struct{ err error }

func (f filter) Add(context.Context, bloom.Key) error          { return f.err }
func (f filter) Test(context.Context, bloom.Key) (bool, error) { return false, f.err }

func TestTheFilterSavesWorkAndDecidesNothingWhenItFails(t *testing.T) {
	s := site(t, "segment").Services[0]
	made, err := s.Create(t.Context(), links.Link{URL: "https://example.com/", Owner: "ada"})
	if err != nil {
		t.Fatal(err)
	}
	s.Filter = filter{}
	if _, err := s.Resolve(t.Context(), made.Code); !errors.Is(err, links.ErrNotFound) {
		t.Errorf("the filter is not asked: %v", err)
	}
	s.Filter = filter{errors.New("no answer")}
	if _, err := s.Resolve(t.Context(), made.Code); err != nil {
		t.Errorf("a link is denied because the filter cannot be asked: %v", err)
	}
	if _, err := s.Create(t.Context(), links.Link{URL: "https://example.com/", Owner: "ada"}); err == nil {
		t.Error("a link was acknowledged that the filter will deny")
	}
}

func TestSegmentCodesDoNotShowTheirOrder(t *testing.T) {
	codes, err := links.NewSegmentCodes(new(idgen.MemoryCounter), []byte("sixteen bytes or more"))
	if err != nil {
		t.Fatal(err)
	}
	ascending, last := 0, ""
	for range 100 {
		code, err := codes.Next(t.Context())
		if err != nil || len(code) != 7 {
			t.Fatal(code, err)
		}
		if strings.Compare(last, code) < 0 {
			ascending++
		}
		last = code
	}
	if ascending > 80 { // of random ones about half; this many with a probability under 1e-9
		t.Errorf("%d of 100 codes follow their predecessor", ascending)
	}
	if err := codes.Close(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestAnOwnerIsNeeded(t *testing.T) {
	s := site(t, "segment").Services[0]
	if _, err := s.Create(t.Context(), links.Link{URL: "https://example.com/"}); !errors.Is(err, links.ErrInvalid) {
		t.Error(err)
	}
}
