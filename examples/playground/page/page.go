// Package page is the contract between the server of the playground and its pages: what a page declares, what its world
// answers, and the drawing instruments.
//
// A page is data (Info) and a constructor (New). The server renders the data, keeps the worlds and turns controls into calls of
// Do; a page holds no HTML, no HTTP and no lock. The state of a world is its URL: the seed, the settings and the list of
// what was done, which is replayed when the URL is opened again. So every page must be deterministic but for the clock.
package page

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"
)

// ErrInvalid is wrapped by every error about what a visitor entered. Its text is shown to the visitor.
var ErrInvalid = errors.New("that does not work")

// Invalid returns an ErrInvalid with a sentence for the visitor.
func Invalid(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrInvalid, fmt.Sprintf(format, args...))
}

// Page is one page of the playground.
type Page interface {
	// Info is the same at every call.
	Info() Info
	// New makes the world of one tab. The same seed and settings make the same world.
	New(seed uint64, s Settings) (World, error)
}

// World is the state behind one tab: values of the package that the page shows, and nothing that only the page invented. The
// server calls one method at a time. A world that starts goroutines is an io.Closer: Close is called when it is forgotten.
type World interface {
	// Do carries out a button of Info.Forms, with the content of its field. An ErrInvalid is shown and changes nothing.
	Do(ctx context.Context, action, value string) error
	// View returns every fact of Info.Facts and the picture.
	View() View
}

// Live is a world in which time flows. It is not replayed from its URL, and has to accept settings while it runs.
type Live interface {
	World
	// Set changes the settings in place.
	Set(s Settings) error
	// Tick is called before each View, and up to 15 times a second while the page is open. The world may ask to be
	// called earlier than that; the zero time means that it does not care.
	Tick(now time.Time) (wake time.Time)
}

// Framed is a world that is a site of its own, shown in the frames of Info.Frames: the server serves it below the place that it names
// before the first request, such as /session/world/123/. The paths that the world sees begin behind that place.
type Framed interface {
	World
	http.Handler
	Place(base string)
}

// Frame is a window into a Framed world; its content begins at Name/.
type Frame struct{ Name, Title string }

// View is what can be seen of a world.
type View struct {
	Facts   map[string]Value // by Fact.Name, all of Info.Facts
	Picture *SVG
	Says    string   // one sentence about the last action, read aloud by screen readers; stable while nothing is done
	Picks   []string // what a Field with Pick offers
}

// Info is what a page says and which controls it has. The server renders it; the conformance test finds what is missing.
type Info struct {
	Path    string // "ring": the page is at /ring
	Title   string // "Ring"
	Heading string // what one learns, as a headline
	Lead    string // two sentences that set the scene

	Question string    // asked before anything is shown
	Guesses  [3]string // one of them is right
	Right    int       // index in Guesses
	Answer   string    // the answer and its reason

	Caption  string // says what the picture shows, also to a screen reader
	Frames   []Frame
	Settings []Setting
	Forms    []Form // two to four controls, counting Settings that are not Quiet and Forms
	Facts    []Fact
	Try      [3]string // three things to do and to look at
	Code     Code
	Package  string // import path below the module: "hashring"
}

// Form is a row of buttons with at most one field before them.
type Form struct {
	Field   *Field // nil: only buttons
	Buttons []Button
}

// Button carries out an action.
type Button struct{ Action, Label string }

// Field is what an action works on: a text, or one of View.Picks.
type Field struct {
	Label string
	Pick  bool   // choose from View.Picks
	Max   int    // longest text in bytes, 1 … 200; not with Pick
	Hint  string // content at the beginning
}

// Fact declares a figure that the page shows: <output data-fact="Name"> under its label.
type Fact struct {
	Name  string // lower case with hyphens
	Label string
	Help  string // one short line, may be empty
	Lead  bool   // shown large
}

// Code names a declaration that is shown: an Example of the package, compiled and tested where it stands.
type Code struct {
	File   string // below the root of the module: "hashring/example_test.go"
	Symbol string // "ExampleRing_Add"
}
