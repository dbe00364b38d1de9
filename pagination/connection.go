package pagination

// Connection is a page in the form of the GraphQL Cursor Connections
// Specification (Relay); its JSON names are those of the specification.
type Connection[T any] struct {
	Edges    []Edge[T] `json:"edges"`
	PageInfo PageInfo  `json:"pageInfo"`
}

// Edge is one row with its token.
type Edge[T any] struct {
	Node   T      `json:"node"`
	Cursor string `json:"cursor"`
}

// PageInfo says what lies around a page; the cursors of an empty page are null.
type PageInfo struct {
	HasNextPage     bool    `json:"hasNextPage"`
	HasPreviousPage bool    `json:"hasPreviousPage"`
	StartCursor     *string `json:"startCursor"`
	EndCursor       *string `json:"endCursor"`
}

// NewConnection encodes a token for each row of the page. It fails as
// [Page.Cursor] does.
func NewConnection[T any](p *Page[T]) (Connection[T], error) {
	c := Connection[T]{
		Edges:    make([]Edge[T], len(p.Items)),
		PageInfo: PageInfo{HasNextPage: p.Next != "", HasPreviousPage: p.Prev != ""},
	}
	for i := range p.Items {
		cursor, err := p.Cursor(i)
		if err != nil {
			return Connection[T]{}, err
		}
		c.Edges[i] = Edge[T]{p.Items[i], cursor}
	}
	if n := len(c.Edges); n > 0 {
		c.PageInfo.StartCursor, c.PageInfo.EndCursor = &c.Edges[0].Cursor, &c.Edges[n-1].Cursor
	}
	return c, nil
}
