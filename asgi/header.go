package asgi

// Header is one field of a message: a name and a value, both raw octets held
// in a string (no character set is implied). Names the server delivers are
// lower-case; order and repetition are kept.
//
// Safe for concurrent use: immutable.
type Header struct {
	Name  string
	Value string
}
