package hashring

import "errors"

// Errors of the package. Branch on them with errors.Is; the texts name the field, its limit and the node.
var (
	// ErrInvalid says that a node or an option is out of range; the text names the field and its limit, or quotes the ID.
	ErrInvalid = errors.New("hashring: invalid argument")

	// ErrIncomparable says that two snapshots, or a Spec and this process, map keys to tokens differently.
	ErrIncomparable = errors.New("hashring: keys map to different tokens")

	// ErrNoNode says that a Directory has no pin for the key and its fallback knows no owner.
	ErrNoNode = errors.New("hashring: no node owns the key")

	// ErrMigrating says that a Directory is moving the key; try again when the move is over.
	ErrMigrating = errors.New("hashring: key is being moved")
)
