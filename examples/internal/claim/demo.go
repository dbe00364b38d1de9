package claim

import (
	"context"
	"fmt"
	"math"
	"time"
)

// verdict is what became of one claim.
type verdict struct {
	Claim
	facts, controlFacts Facts
	holds, breaks       bool
	err, controlErr     error
	took                time.Duration
}

func (v verdict) pass() bool { return v.holds && v.breaks }

// summary is the last line.
type summary struct {
	example, engines   string
	seed               int64
	claims, held       int
	controls, broke    int
	took               time.Duration
	suggestion, advice string // what to run next
}

// failedError ends a demo whose verdicts have been printed. It carries no text of its own for the user.
type failedError struct{ held, claims int }

func (e *failedError) Error() string { return fmt.Sprintf("%d of %d claims hold", e.held, e.claims) }

// demo runs the claims in order and prints each verdict as it falls.
func demo(ctx context.Context, e Example, s settings, std Command) error {
	claims, err := s.selected(e)
	if err != nil {
		return err
	}
	progress := newProgress(std.Stderr)
	out := newPrinter(s.format, e, claims, std.Stdout, progress)
	out.start(fmt.Sprintf("%s: %s, seed %d", e.Name, e.Title(), s.seed))
	sum := summary{example: e.Name, engines: s.engines.String(), seed: s.seed, claims: len(claims), controls: len(claims)}
	env := Env{Seed: s.seed, Quick: s.quick, Engines: s.engines, Progress: progress}
	began := time.Now()
	for _, c := range claims {
		v := judge(ctx, c, env)
		if ctx.Err() != nil {
			progress.clear()
			return fmt.Errorf("interrupted in claim %s", c.ID)
		}
		if v.holds {
			sum.held++
		}
		if v.breaks {
			sum.broke++
		}
		out.verdict(v)
	}
	sum.took = time.Since(began)
	if e.Serve != nil {
		sum.suggestion = "go run ./examples/" + e.Name + " -serve"
	}
	if len(e.Exchanges) > 0 {
		sum.advice = e.Exchanges[0].Curl("http://127.0.0.1:8080")
	}
	out.end(sum)
	if out.err != nil {
		return out.err
	}
	if sum.held < sum.claims || sum.broke < sum.controls {
		return &failedError{sum.held, sum.claims}
	}
	return nil
}

// judge runs a claim and its control. An error is no evidence for either.
func judge(ctx context.Context, c Claim, env Env) verdict {
	began := time.Now()
	v := verdict{Claim: c}
	v.facts, v.err = count(ctx, c.Run, env)
	v.holds = v.err == nil && c.Holds(v.facts)
	v.controlFacts, v.controlErr = count(ctx, c.Control, env)
	v.breaks = v.controlErr == nil && c.Breaks(v.controlFacts)
	v.took = time.Since(began)
	return v
}

func count(ctx context.Context, run func(context.Context, Env) (Facts, error), env Env) (Facts, error) {
	facts, err := run(ctx, env)
	for name, x := range facts {
		if err == nil && (math.IsNaN(x) || math.IsInf(x, 0)) {
			err = fmt.Errorf("fact %s is %v", name, x)
		}
	}
	if err != nil {
		return nil, err
	}
	return facts, nil
}
