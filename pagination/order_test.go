package pagination

import (
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"
	"time"
)

func TestOrderIsAlwaysTotal(t *testing.T) {
	type line struct{ Order, Line int64 }
	keys := []Key[line]{
		ID("order_id", func(l *line) int64 { return l.Order }),
		ID("line", func(l *line) int64 { return l.Line }),
	}
	for sort, want := range map[string]string{
		"":                  "+order_id,+line",
		"-line":             "-line,-order_id",
		"line desc":         "-line,-order_id",
		"order_id,-line":    "+order_id,-line",
		"-order_id":         "-order_id,-line",
		" order_id , line ": "+order_id,+line",
	} {
		o, err := NewOrder(sort, keys...)
		if err != nil {
			t.Fatal(err)
		}
		if o.String() != want {
			t.Errorf("%q is %s, want %s", sort, o, want)
		}
	}
	o := itemOrder(t, "-a,b", NullsLow)
	for sort, want := range map[string]string{
		"c":       "+c,+id",
		"-c":      "-c,-id",
		"-id,c,a": "-id", // the row is identified
		"c,-id,a": "+c,-id",
		"+a, -b":  "+a,-b,-id",
		" a":      "+a,+id", // a plus sign that a URL turned into a space
		"A ASC":   "",
		"a Asc":   "+a,+id",
	} {
		got, err := o.Sort(sort)
		if want == "" {
			if !errors.Is(err, ErrSort) {
				t.Errorf("%q: %v", sort, err)
			}
			continue
		}
		if err != nil || got.String() != want {
			t.Errorf("%q is %v, %v; want %s", sort, got, err, want)
		}
		if again, _ := o.Sort(sort); again != got {
			t.Errorf("%q is not cached", sort)
		}
	}
}

func TestBadOrdersAreRefused(t *testing.T) {
	id := ID("id", func(it *item) int64 { return it.ID })
	c := By("c", func(it *item) string { return it.C })
	nullableID := id
	nullableID.Nulls = NullsLast
	noOf := c
	noOf.Of = nil
	expression := By("lower(c)", func(it *item) string { return it.C })
	for name, keys := range map[string][]Key[item]{
		"c|no identity":        {c},
		"|nullable identity":   {nullableID},
		"|twice":               {id, c, c},
		"|no Of":               {id, noOf},
		"x|unknown":            {id, c},
		"c,-c|repeated":        {id, c},
		"c,|empty":             {id, c},
		"|expression unnamed":  {id, expression},
		"-c desc|two notation": {id, c},
	} {
		sort, _, _ := strings.Cut(name, "|")
		if _, err := NewOrder(sort, keys...); !errors.Is(err, ErrOrder) {
			t.Errorf("%s: %v", name, err)
		}
	}
	o := itemOrder(t, "", NullsLow)
	for _, sort := range []string{"x", "a,a", "a,,b", ",", "a;b", "a,b,c,id,a", "id)--", "-"} {
		_, err := o.Sort(sort)
		var param *ParamError
		if !errors.Is(err, ErrSort) || !errors.As(err, &param) {
			t.Errorf("%q: %v", sort, err)
		}
	}
	for i := range 10 * cachedOrders {
		_, _ = o.Sort(strings.Repeat(" ", i) + "a")
	}
	if n := len(o.family.sorted); n > cachedOrders {
		t.Errorf("%d orders cached, though clients choose them", n)
	}
}

func TestRowsWithoutPositionAreErrors(t *testing.T) {
	type row struct {
		ID int64
		F  float64
		D  Decimal
		T  time.Time
		S  *string
		B  []byte
	}
	good := row{1, 1, "1", time.Unix(0, 0), new("x"), []byte{1}}
	keys := []Key[row]{
		ID("id", func(r *row) int64 { return r.ID }),
		By("f", func(r *row) float64 { return r.F }),
		By("d", func(r *row) Decimal { return r.D }),
		By("t", func(r *row) time.Time { return r.T }),
		ByNull("s", NotNull, func(r *row) *string { return r.S }),
		By("b", func(r *row) []byte { return r.B }),
	}
	o, err := NewOrder("f,d,t,s,b", keys...)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := o.After(&good); err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string]func(*row){
		"f": func(r *row) { r.F = math.NaN() },
		"d": func(r *row) { r.D = "many" },
		"t": func(r *row) { r.T = time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC) },
		"s": func(r *row) { r.S = nil },
		"b": func(r *row) { r.B = nil },
	} {
		bad := good
		change(&bad)
		if _, err := o.Before(&bad); !errors.Is(err, ErrNullKey) || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

type (
	myBool  bool
	myText  string
	myBytes []byte
	myUUID  [16]byte
	myInt8  int8
	myUint  uint32
	myFloat float32
)

// TestKindFollowsFromTheType covers every type of Scalar, named ones too.
func TestKindFollowsFromTheType(t *testing.T) {
	check := func(k Key[int], want Value) {
		t.Helper()
		if got := k.Of(nil); got != want || k.Kind != want.Kind() {
			t.Errorf("%v of kind %v, want %v", got.Any(), k.Kind, want.Any())
		}
	}
	at := time.Date(2026, 1, 2, 3, 4, 5, 6, time.FixedZone("x", 3600))
	check(By("x", func(*int) bool { return true }), BoolValue(true))
	check(By("x", func(*int) myBool { return true }), BoolValue(true))
	check(By("x", func(*int) int { return -1 }), IntValue(-1))
	check(By("x", func(*int) myInt8 { return -128 }), IntValue(-128))
	check(By("x", func(*int) int16 { return -3 }), IntValue(-3))
	check(By("x", func(*int) int32 { return -4 }), IntValue(-4))
	check(By("x", func(*int) time.Duration { return -5 }), IntValue(-5))
	check(By("x", func(*int) uint { return 1 }), UintValue(1))
	check(By("x", func(*int) uint8 { return 255 }), UintValue(255))
	check(By("x", func(*int) uint16 { return 3 }), UintValue(3))
	check(By("x", func(*int) myUint { return 4 }), UintValue(4))
	check(By("x", func(*int) uint64 { return math.MaxUint64 }), UintValue(math.MaxUint64))
	check(By("x", func(*int) myFloat { return 1.5 }), FloatValue(1.5))
	check(By("x", func(*int) float64 { return math.Copysign(0, -1) }), FloatValue(0))
	check(By("x", func(*int) string { return "a" }), StringValue("a"))
	check(By("x", func(*int) myText { return "b" }), StringValue("b"))
	check(By("x", func(*int) Decimal { return "1.0" }), DecimalValue("1"))
	check(By("x", func(*int) []byte { return []byte{1} }), BytesValue([]byte{1}))
	check(By("x", func(*int) myBytes { return []byte{2} }), BytesValue([]byte{2}))
	check(By("x", func(*int) [16]byte { return [16]byte{3} }), UUIDValue([16]byte{3}))
	check(By("x", func(*int) myUUID { return myUUID{4} }), UUIDValue([16]byte{4}))
	check(By("x", func(*int) time.Time { return at }), TimeValue(at.UTC()))
	if v := ByNull("x", NullsLow, func(*int) *int { return nil }).Of(nil); !v.IsNull() {
		t.Errorf("%v", v.Any())
	}
}

func TestKeysAreReadWithoutAllocation(t *testing.T) {
	rows := []item{{ID: 1, A: new(int64(1)), C: "x"}, {ID: 2, A: new(int64(1)), C: "x"}}
	o := itemOrder(t, "a,c", NullsLow)
	if n := testing.AllocsPerRun(100, func() { o.Compare(&rows[0], &rows[1]) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func TestDecimalsCompareAsNumbers(t *testing.T) {
	ascending := []Decimal{"-100", "-20.5", "-20.45", "-0.1", "0", "0.045", "0.45", "0.5", "9", "10", "10.01", "123456789012345678901234567890"}
	for i, a := range ascending {
		for j, b := range ascending {
			want := 0
			if i < j {
				want = -1
			} else if i > j {
				want = 1
			}
			if got := DecimalValue(a).Compare(DecimalValue(b)); got != want {
				t.Errorf("%s against %s: %d", a, b, got)
			}
		}
	}
	for text, want := range map[Decimal]string{"+007.50": "7.5", "-0.00": "0", ".5": "0.5", "5.": "5", "-01": "-1"} {
		if got := DecimalValue(text); fmt.Sprint(got.Any()) != want {
			t.Errorf("%s is %v, want %s", text, got.Any(), want)
		}
	}
}

func TestValuesComeBackAsTheirType(t *testing.T) {
	for _, v := range vectors() {
		for _, x := range v.cursor.Start.Key {
			back := Value{}
			switch a := x.Any().(type) {
			case nil:
			case bool:
				back = BoolValue(a)
			case int64:
				back = IntValue(a)
			case uint64:
				back = UintValue(a)
			case float64:
				back = FloatValue(a)
			case string:
				back = StringValue(a)
			case []byte:
				back = BytesValue(a)
			case time.Time:
				back = TimeValue(a)
			case [16]byte:
				back = UUIDValue(a)
			case Decimal:
				back = DecimalValue(a)
			}
			if back != x || x.Compare(back) != 0 {
				t.Errorf("%s: %v is %v", v.name, x.Any(), back.Any())
			}
		}
	}
}
