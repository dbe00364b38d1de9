package sqlpage

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/sysblocks/sysblocks/pagination"
)

// Plan is what the engine would do for a page.
type Plan struct {
	Query    string   // the statement
	Text     string   // the engine's own words
	Indexes  []string // used, sorted
	FullScan bool     // some table is read from its start to its end
	Sort     bool     // rows are sorted, not read in order
	Suggest  string   // the index that is missing, if FullScan or Sort says so
}

// Explain asks the engine for the plan of a range; it does not run the statement.
// On a small table engines prefer a scan: ask with data of realistic size.
func (s *Source[T]) Explain(ctx context.Context, r pagination.Range[T]) (Plan, error) {
	query, args, err := s.Statement(ctx, r)
	if err != nil {
		return Plan{}, err
	}
	p := Plan{Query: query}
	switch s.dialect {
	case Postgres:
		err = s.explainPostgres(ctx, &p, args)
	case MySQL:
		err = s.explainMySQL(ctx, &p, args)
	case SQLite:
		err = s.explainSQLite(ctx, &p, args)
	}
	if err != nil {
		return Plan{}, err
	}
	slices.Sort(p.Indexes)
	p.Indexes = slices.Compact(p.Indexes)
	if p.FullScan || p.Sort {
		p.Suggest = Index(firstTable(s.q.From), s.dialect, r.Order)
	}
	return p, nil
}

// firstTable is the table whose index can serve the order of a join.
func firstTable(from string) string {
	if fields := strings.FieldsFunc(from, func(c rune) bool { return c == ' ' || c == ',' || c == '\n' || c == '\t' }); len(fields) > 0 {
		return fields[0]
	}
	return from
}

func (s *Source[T]) explainPostgres(ctx context.Context, p *Plan, args []any) error {
	var text []byte
	err := each(ctx, s.db, "EXPLAIN (FORMAT JSON) "+p.Query, args, func(rows *sql.Rows) error { return rows.Scan(&text) })
	if err != nil {
		return err
	}
	type node struct {
		Type  string  `json:"Node Type"`
		Index string  `json:"Index Name"`
		Rows  float64 `json:"Plan Rows"`
		Plans []json.RawMessage
	}
	var visit func(raw json.RawMessage) error
	visit = func(raw json.RawMessage) error {
		var n node
		if err := json.Unmarshal(raw, &n); err != nil {
			return fmt.Errorf("sqlpage: plan: %w", err)
		}
		if n.Index != "" {
			p.Indexes = append(p.Indexes, n.Index)
		}
		p.FullScan = p.FullScan || n.Type == "Seq Scan"
		if n.Type == "Sort" || n.Type == "Incremental Sort" {
			p.Sort = p.Sort || !s.sortsAnArm(n.Plans)
		}
		for _, child := range n.Plans {
			if err := visit(child); err != nil {
				return err
			}
		}
		return nil
	}
	var plans []struct{ Plan json.RawMessage }
	if err := json.Unmarshal(text, &plans); err != nil {
		return fmt.Errorf("sqlpage: plan: %w", err)
	}
	p.Text = string(text)
	for _, top := range plans {
		if err := visit(top.Plan); err != nil {
			return err
		}
	}
	return nil
}

// sortsAnArm reports whether a sort only orders what LIMIT let through, which is
// at most a page per arm.
func (s *Source[T]) sortsAnArm(children []json.RawMessage) bool {
	for _, raw := range children {
		var n struct {
			Type string `json:"Node Type"`
		}
		if json.Unmarshal(raw, &n) != nil || n.Type != "Limit" && n.Type != "Append" && n.Type != "Subquery Scan" {
			return false
		}
	}
	return true
}

func (s *Source[T]) explainMySQL(ctx context.Context, p *Plan, args []any) error {
	var text strings.Builder
	err := each(ctx, s.db, "EXPLAIN "+p.Query, args, func(rows *sql.Rows) error {
		f, err := byName(rows)
		if err != nil {
			return err
		}
		fmt.Fprintf(&text, "%s %s type=%s key=%s rows=%s %s\n", f["select_type"], f["table"], f["type"], f["key"], f["rows"], f["extra"])
		if strings.HasPrefix(f["table"], "<") {
			return nil // the arms together, at most a page each
		}
		if f["key"] != "" {
			p.Indexes = append(p.Indexes, f["key"])
		}
		p.FullScan = p.FullScan || f["type"] == "ALL"
		p.Sort = p.Sort || f["table"] != "" && strings.Contains(f["extra"], "filesort")
		return nil
	})
	p.Text = text.String()
	return err
}

func (s *Source[T]) explainSQLite(ctx context.Context, p *Plan, args []any) error {
	var text strings.Builder
	err := each(ctx, s.db, "EXPLAIN QUERY PLAN "+p.Query, args, func(rows *sql.Rows) error {
		f, err := byName(rows)
		if err != nil {
			return err
		}
		detail := f["detail"]
		text.WriteString(detail + "\n")
		union := strings.Contains(p.Query, " UNION ALL ")
		switch {
		case strings.Contains(detail, "USE TEMP B-TREE"):
			p.Sort = p.Sort || !union
		case strings.HasPrefix(detail, "SCAN") && !strings.Contains(detail, "subquery") && !strings.Contains(detail, "USING"):
			p.FullScan = true
		}
		for _, word := range []string{"USING INDEX ", "USING COVERING INDEX "} {
			if _, name, ok := strings.Cut(detail, word); ok {
				name, _, _ = strings.Cut(name, " ")
				p.Indexes = append(p.Indexes, name)
			}
		}
		return nil
	})
	p.Text = text.String()
	return err
}
