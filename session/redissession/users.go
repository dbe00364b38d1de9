package redissession

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strconv"

	"github.com/sysblocks/sysblocks/session"
)

// skew is how far the clocks of a fleet may differ before an index entry of a session that somebody still takes for
// live is removed.
const skew = 60_000

// index enters a session in the index of its user, or raises its entry.
func (s *Store) index(ctx context.Context, userID string, id session.ID, deadline int64) error {
	reply, err := s.text(ctx, enter, s.userKey(userID), id.String(), decimal(deadline), decimal(now()-skew))
	if err == nil && reply != "entered" {
		err = fmt.Errorf("%w: %.40q to enter", ErrReply, reply)
	}
	if err != nil {
		return fmt.Errorf("redissession: index: %w", err)
	}
	return nil
}

// member is an entry of an index. score is as the server has spelled it.
type member struct {
	text, score string
}

func (s *Store) members(ctx context.Context, userID string) ([]member, error) {
	reply, err := s.eval(ctx, list, s.userKey(userID), decimal(now()-skew))
	if err != nil {
		return nil, fmt.Errorf("redissession: list: %w", err)
	}
	return decodeMembers(reply)
}

// heal removes an entry whose session has gone or belongs to somebody else, unless a login has raised it since it
// was read.
func (s *Store) heal(ctx context.Context, userID string, m member) error {
	reply, err := s.text(ctx, heal, s.userKey(userID), m.text, m.score)
	if err == nil && reply != "healed" {
		err = fmt.Errorf("%w: %.40q to heal", ErrReply, reply)
	}
	if err != nil {
		return fmt.Errorf("redissession: list: %w", err)
	}
	return nil
}

// ListUser implements session.UserIndexer: one script, and one round trip for each session.
func (s *Store) ListUser(ctx context.Context, userID string) iter.Seq2[session.Record, error] {
	return func(yield func(session.Record, error) bool) {
		err := ctx.Err()
		var members []member
		if err == nil && userID != "" {
			members, err = s.members(ctx, userID)
		}
		if err != nil {
			yield(session.Record{}, err)
			return
		}
		for _, m := range members {
			rec, err := s.loadMember(ctx, m)
			switch {
			case errors.Is(err, session.ErrNotFound) || err == nil && rec.UserID != userID:
				err = s.heal(ctx, userID, m)
			case err == nil:
				if !yield(rec, nil) {
					return
				}
			}
			if err != nil {
				yield(session.Record{}, err)
				return
			}
		}
	}
}

// loadMember finds no session under what is no ID.
func (s *Store) loadMember(ctx context.Context, m member) (session.Record, error) {
	id, err := session.ParseID(m.text)
	if err != nil {
		return session.Record{}, session.ErrNotFound
	}
	return s.Load(ctx, id)
}

// RemoveUser implements session.UserIndexer: one script, one round trip for each session, and one ZREM. Each login
// beside it is wholly before (removed) or after.
func (s *Store) RemoveUser(ctx context.Context, userID string, except ...session.ID) (int, error) {
	if err := ctx.Err(); err != nil || userID == "" {
		return 0, err
	}
	members, err := s.members(ctx, userID)
	if err != nil {
		return 0, err
	}
	n := 0
	ended := []any{"ZREM", s.userKey(userID)}
	for _, m := range members {
		id, err := session.ParseID(m.text)
		if err == nil && slices.Contains(except, id) {
			continue
		}
		gone := removed{}
		if err == nil {
			if gone, err = s.remove(ctx, id, "1", userID); err != nil {
				return n, err
			}
		}
		if gone.live {
			n++
		}
		if gone.any { // its ID is never used again: no condition
			ended = append(ended, m.text)
		} else if err := s.heal(ctx, userID, m); err != nil {
			return n, err
		}
	}
	if len(ended) > 2 {
		_, _ = s.do(ctx, ended...) // the sessions have ended; entries that stay are removed later
	}
	return n, nil
}

// decodeMembers reads pairs of a member and its score.
func decodeMembers(reply any) ([]member, error) {
	flat, ok := reply.([]any)
	if !ok || len(flat)%2 != 0 {
		return nil, fmt.Errorf("%w: %T to list", ErrReply, reply)
	}
	members := make([]member, 0, len(flat)/2)
	for i := 0; i < len(flat); i += 2 {
		text, ok1 := asText(flat[i])
		score, ok2 := asText(flat[i+1])
		if _, err := strconv.ParseFloat(score, 64); err != nil || !ok1 || !ok2 {
			return nil, fmt.Errorf("%w: %T and %T to list", ErrReply, flat[i], flat[i+1])
		}
		members = append(members, member{text, score})
	}
	return members, nil
}
