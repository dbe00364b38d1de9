package paginationrows

import (
	"context"
	"strings"
	"time"

	"gorm.io/gorm"
	"gorm.io/gorm/utils/tests"

	"github.com/sysblocks/sysblocks/benchmarks/internal/harness"
	"github.com/sysblocks/sysblocks/pagination"
	"github.com/sysblocks/sysblocks/pagination/sqlpage"
)

// entry is a row with three keys.
type entry struct {
	ID        int64     `db:"id"`
	CreatedAt time.Time `db:"created_at"`
	Score     int64     `db:"score"`
}

func entryOrder(keys int) (*pagination.Order[entry], error) {
	ks, err := sqlpage.Keys[entry](sqlpage.MySQL, "id")
	if err != nil {
		return nil, err
	}
	return pagination.NewOrder([]string{"id", "created_at", "created_at,score"}[keys-1], ks...)
}

func ourStatement(keys int) harness.Contender {
	return harness.Contender{Name: "ours", Setup: func() (harness.Op, func(), error) {
		order, err := entryOrder(keys)
		if err != nil {
			return nil, nil, err
		}
		source, err := sqlpage.NewSource(noDB{}, sqlpage.MySQL, order, sqlpage.Query[entry]{From: "entries"})
		if err != nil {
			return nil, nil, err
		}
		after, err := order.After(&entry{id, when(), 77_777})
		r := pagination.Range[entry]{Order: order, Limit: 21, Start: after}
		ctx := context.Background()
		return func(n int) {
			for range n {
				if _, args, err := source.Statement(ctx, r); err != nil || len(args) < keys {
					panic("statement")
				}
			}
		}, nil, err
	}}
}

// noDB is never asked: only statements are built.
type noDB struct{ sqlpage.DB }

// gormStatement builds the same query, the OR form over the same keys, dry.
func gormStatement(keys int) harness.Contender {
	return harness.Contender{Name: "GORM dry run", Setup: func() (harness.Op, func(), error) {
		db, err := gorm.Open(tests.DummyDialector{}, &gorm.Config{DryRun: true, SkipDefaultTransaction: true})
		t, score := when(), int64(77_777)
		return func(n int) {
			for range n {
				var rows []entry
				q := db.Table("entries").Select("id, created_at, score")
				switch keys {
				case 1:
					q = q.Where("id > ?", id).Order("id")
				case 2:
					q = q.Where("(created_at = ? AND id > ? OR created_at > ?)", t, id, t).Order("created_at, id")
				default:
					q = q.Where("(created_at = ? AND score = ? AND id > ? OR created_at = ? AND score > ? OR created_at > ?)", t, score, id, t, score, t).Order("created_at, score, id")
				}
				if s := q.Limit(21).Find(&rows).Statement; !strings.HasPrefix(s.SQL.String(), "SELECT") {
					panic("statement")
				}
			}
		}, nil, err
	}}
}
