package hashring

import (
	"encoding/json"
	"math"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// hex is a 64-bit number as a hexadecimal string, which every language reads exactly.
type hex uint64

func (h *hex) UnmarshalText(text []byte) error {
	x, err := strconv.ParseUint(string(text), 16, 64)
	*h = hex(x)
	return err
}

type knownRing struct {
	Name        string                    `json:"name"`
	VNodes      int                       `json:"vnodes"`
	LoadFactor  float64                   `json:"load_factor"`
	Seed        hex                       `json:"seed"`
	HashTags    bool                      `json:"hash_tags"`
	Nodes       []Node[string]            `json:"nodes"`
	Pos         map[string]hex            `json:"pos"`
	Points      map[string]map[string]hex `json:"points"`
	Counts      map[string]int            `json:"counts"`
	Tokens      map[string]hex            `json:"tokens"`
	Orders      map[string]string         `json:"orders"`
	Owners      map[hex]string            `json:"owners"`
	Owned       map[string]string         `json:"owned_decimal"`
	Peak        float64                   `json:"peak"`
	Fingerprint hex                       `json:"fingerprint"`
}

type knownAnswers struct {
	Placement int `json:"placement"`
	Positions []struct {
		Key string `json:"key"`
		Pos hex    `json:"pos"`
	} `json:"positions"`
	Rings []knownRing `json:"rings"`
	Jump  []struct {
		Token   string `json:"token"`
		Buckets int    `json:"buckets"`
		Bucket  int    `json:"bucket"`
	} `json:"jump_decimal"`
	CRC16 map[string]hex `json:"crc16"`
	Slots map[string]int `json:"slots_decimal"`
}

func readKnownAnswers(t *testing.T) knownAnswers {
	t.Helper()
	text, err := os.ReadFile("testdata/placement1.json")
	if err != nil {
		t.Fatal(err)
	}
	var known knownAnswers
	if err := json.Unmarshal(text, &known); err != nil {
		t.Fatal(err)
	}
	if known.Placement != 1 || len(known.Rings) < 9 || len(known.Positions) < 6 || len(known.Jump) < 5 {
		t.Fatal("testdata/placement1.json is incomplete")
	}
	return known
}

// TestPlacementMatchesKnownAnswers holds placement 1 to answers that came from an implementation in another
// language. A change of any of them moves the keys of every user.
func TestPlacementMatchesKnownAnswers(t *testing.T) {
	known := readKnownAnswers(t)
	for _, p := range known.Positions {
		if got := Hash(p.Key); got != uint64(p.Pos) {
			t.Errorf("Hash(%q) = %x, want %x", p.Key, got, p.Pos)
		}
	}
	for _, k := range known.Rings {
		t.Run(k.Name, func(t *testing.T) { k.check(t) })
	}
}

func (k *knownRing) check(t *testing.T) {
	t.Helper()
	r, err := New(k.Nodes, Options{VNodes: k.VNodes, LoadFactor: k.LoadFactor, Seed: uint64(k.Seed), HashTags: k.HashTags})
	if err != nil {
		t.Fatal(err)
	}
	s := r.Snapshot()
	if got := s.Fingerprint(); k.Fingerprint != 0 && got != uint64(k.Fingerprint) {
		t.Errorf("fingerprint %x, want %x", got, k.Fingerprint)
	}
	for id, want := range k.Pos {
		if got := s.pos(id); got != uint64(want) {
			t.Errorf("pos(%q) = %x, want %x", id, got, want)
		}
	}
	for id, points := range k.Points {
		number, _ := s.number(id)
		for i, want := range points {
			n, err := strconv.Atoi(i)
			if err != nil {
				t.Fatal(err)
			}
			if got := point(s.pos(id), n); got != uint64(want) {
				t.Errorf("point %s of %s = %x, want %x", i, id, got, want)
			}
			if at, found := slices.BinarySearch(s.ring.tokens, uint64(want)); !found || s.ring.owners[at] != uint32(number) {
				t.Errorf("point %s of %s is not on the ring", i, id)
			}
		}
	}
	for id, want := range k.Counts {
		number, _ := s.number(id)
		got := 0
		for _, o := range s.ring.owners[:s.ring.len()] {
			if o == uint32(number) {
				got++
			}
		}
		if got != want {
			t.Errorf("%s has %d points, want %d", id, got, want)
		}
	}
	for key, want := range k.Tokens {
		if got := s.Token(key); got != uint64(want) {
			t.Errorf("Token(%q) = %x, want %x", key, got, want)
		}
	}
	k.checkOwners(t, s)
}

func (k *knownRing) checkOwners(t *testing.T, s *Snapshot[string]) {
	t.Helper()
	for key, want := range k.Orders {
		ids := strings.Fields(want)
		var got []string
		for n := range s.Walk(key) {
			if got = append(got, n.ID); len(got) == len(ids) {
				break
			}
		}
		if !slices.Equal(got, ids) {
			t.Errorf("order of %q is %v, want %v", key, got, ids)
		}
	}
	for token, want := range k.Owners {
		if got, _ := s.Owner(uint64(token)); got.ID != want {
			t.Errorf("owner of %x is %s, want %s", uint64(token), got.ID, want)
		}
	}
	for id, want := range k.Owned {
		var owned uint64
		for _, r := range s.Ranges(id, 1) {
			owned += r.Last - r.First + 1
		}
		if got := strconv.FormatUint(owned, 10); got != want {
			t.Errorf("%s owns %s tokens, want %s", id, got, want)
		}
	}
	if k.Peak != 0 {
		peak := 0.0
		for n := range s.All() {
			share := 0.0
			for _, r := range s.Ranges(n.ID, 1) {
				share += r.Fraction()
			}
			peak = max(peak, share*float64(s.Len()))
		}
		if math.Abs(peak-k.Peak) > 1e-9 {
			t.Errorf("peak share %.9f, want %.9f", peak, k.Peak)
		}
	}
}

func TestJumpMatchesThePublishedAlgorithm(t *testing.T) {
	for _, k := range readKnownAnswers(t).Jump {
		token, err := strconv.ParseUint(k.Token, 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		if got := Jump(token, k.Buckets); got != k.Bucket {
			t.Errorf("Jump(%d, %d) = %d, want %d", token, k.Buckets, got, k.Bucket)
		}
	}
}

func TestSlotMatchesRedisCluster(t *testing.T) {
	known := readKnownAnswers(t)
	for s, want := range known.CRC16 {
		if got := crc16(s); got != uint16(want) {
			t.Errorf("crc16(%q) = %x, want %x", s, got, want)
		}
	}
	for key, want := range known.Slots {
		if got := Slot(key); got != want {
			t.Errorf("Slot(%q) = %d, want %d", key, got, want)
		}
	}
}
