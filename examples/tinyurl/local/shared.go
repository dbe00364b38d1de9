package local

import (
	"context"
	"errors"
	"time"

	"github.com/sysblocks/sysblocks/bloom"
	"github.com/sysblocks/sysblocks/bloom/redisbloom"
	"github.com/sysblocks/sysblocks/examples/tinyurl/links"
	"github.com/sysblocks/sysblocks/examples/tinyurl/web"
	"github.com/sysblocks/sysblocks/idgen"
	"github.com/sysblocks/sysblocks/idgen/redisid"
	"github.com/sysblocks/sysblocks/idgen/sqlid"
	"github.com/sysblocks/sysblocks/ratelimit"
	"github.com/sysblocks/sysblocks/ratelimit/redislimit"
)

// What instances share lies in the engines: the counter or the list of workers, the filter, the quotas. Embedded, it lies in
// SQLite and in the memory of the process.

// codeKey maps numbers to codes. In a real service it is secret, and constant: with another key old codes are given out again.
const codeKey = "a key that is no secret"

// FalseRate is the share of invented codes that get past the filter.
const FalseRate = 0.01

// Codes is what an instance makes codes from. It shares nothing with the others but the counter, or the list of workers.
func (s *System) Codes(ctx context.Context, scheme string) (*links.Codes, error) {
	if scheme == "snowflake" {
		leaser, err := s.leaser()
		if err != nil {
			return nil, err
		}
		return links.NewSnowflakeCodes(ctx, leaser)
	}
	counter, err := s.counter()
	if err != nil {
		return nil, err
	}
	return links.NewSegmentCodes(counter, []byte(codeKey))
}

func (s *System) counter() (idgen.Counter, error) {
	if s.engines.Redis != nil {
		return redisid.NewCounter(s.engines.Redis.Do, s.engines.Prefix+"counter", redisid.CounterOptions{})
	}
	return sqlid.NewCounter(s.engines.SQL, s.dialect, "links", sqlid.CounterOptions{})
}

func (s *System) leaser() (idgen.Leaser, error) {
	if s.engines.Redis != nil {
		return redisid.NewLeaser(s.engines.Redis.Do, "links", redisid.LeaserOptions{Prefix: s.engines.Prefix + "leases:"})
	}
	return sqlid.NewLeaser(s.engines.SQL, s.dialect, "links", sqlid.LeaserOptions{})
}

// memory is a filter that the instances of one process share.
type memory struct{ filter *bloom.Filter }

func (m memory) Add(_ context.Context, code bloom.Key) error {
	m.filter.Add(code)
	return nil
}

func (m memory) Test(_ context.Context, code bloom.Key) (bool, error) {
	return m.filter.Test(code), nil
}

// Anything is the filter that admits everything.
type Anything struct{}

// Add does nothing.
func (Anything) Add(context.Context, bloom.Key) error { return nil }

// Test admits.
func (Anything) Test(context.Context, bloom.Key) (bool, error) { return true, nil }

// openFilter fills the filter with the codes that are in the store. Where other processes may write to the store and there is no
// Redis to share a filter in, there is none: it would deny what they have made.
func (s *System) openFilter(ctx context.Context, size uint64, alone bool) (f links.Filter, err error) {
	switch {
	case s.engines.Redis != nil:
		f, err = redisbloom.New(ctx, s.engines.Redis.Do, s.engines.Prefix+"codes", size, FalseRate, redisbloom.Options{})
	case s.engines.Postgres && !alone:
		return Anything{}, nil
	default:
		var local *bloom.Filter
		local, err = bloom.New(size, FalseRate, bloom.Options{})
		f = memory{local}
	}
	if err != nil {
		return nil, err
	}
	for code, err := range s.Store.Codes(ctx) {
		if err == nil {
			err = f.Add(ctx, bloom.String(code))
		}
		if err != nil {
			return nil, err
		}
	}
	return f, nil
}

// Owners is the quota of everybody with a name.
func Owners() ratelimit.Limit { return ratelimit.PerSecond(5) }

// strangers is the quota of an address without one.
func strangers() ratelimit.Limit { return ratelimit.PerMinute(3) }

// openLimits is where the quotas are counted: for all instances in one place.
func (s *System) openLimits() (web.Limits, error) {
	if s.engines.Redis == nil {
		return Apart()
	}
	limit := func(name string, l ratelimit.Limit) (*redislimit.Limiter, error) {
		o := redislimit.Options{Prefix: s.engines.Prefix + name + ":", Timeout: time.Second}
		return redislimit.New(s.engines.Redis.Do, []ratelimit.Limit{l}, o)
	}
	byAddress, err := limit("strangers", strangers())
	byName, nameErr := limit("owners", Owners())
	return web.Limits{Strangers: byAddress, Owners: byName}, errors.Join(err, nameErr)
}

// Apart are quotas in the memory of whoever calls.
func Apart() (web.Limits, error) {
	byAddress, err := ratelimit.NewKeyed[string]([]ratelimit.Limit{strangers()}, ratelimit.Options{})
	if err != nil {
		return web.Limits{}, err
	}
	byName, err := ratelimit.NewKeyed[string]([]ratelimit.Limit{Owners()}, ratelimit.Options{})
	return web.Limits{Strangers: ratelimit.Local(byAddress), Owners: ratelimit.Local(byName)}, err
}
