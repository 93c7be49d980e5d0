package http1

// A chunk line is read octet by octet by an automaton, so that no part of it is
// ever kept:
//
//	chunk     = 1*HEXDIG [ chunk-ext ] CRLF
//	chunk-ext = *( BWS ";" BWS name [ BWS "=" BWS ( token / quoted-string ) ] )
//
// https://www.rfc-editor.org/rfc/rfc9112#section-7.1.1

// chunkState is a place in the chunk line.
type chunkState uint8

const (
	atSize     chunkState = iota // the first digit
	inSize                       // further digits
	afterValue                   // whitespace after the size or a value: ";" must follow
	beforeName                   // after ";"
	inName                       // an extension's name
	afterName                    // whitespace after a name: "=" or ";" must follow
	beforeVal                    // after "="
	inVal                        // a token as its value
	inQuotes                     // a quoted string as its value
	inEscape                     // after a backslash in quotes
	afterQuote                   // after the closing quote
	atLF                         // after CR
	chunkStates
)

const chunkBad = chunkState(255)

// chunkClass is what kinds of octet the automaton tells apart.
type chunkClass uint8

const (
	octetBad chunkClass = iota // control characters
	octetHex
	octetToken
	octetSpace
	octetSemicolon
	octetEqual
	octetQuote
	octetBackslash
	octetText // legal in quotes only
	octetCR
	octetLF
	chunkClasses
)

// chunkMoves lists the legal moves; every other is an error.
var chunkMoves = []struct {
	from, to chunkState
	on       []chunkClass
}{
	{atSize, inSize, []chunkClass{octetHex}},
	{inSize, inSize, []chunkClass{octetHex}},
	{inSize, afterValue, []chunkClass{octetSpace}},
	{inSize, beforeName, []chunkClass{octetSemicolon}},
	{inSize, atLF, []chunkClass{octetCR}},
	{afterValue, afterValue, []chunkClass{octetSpace}},
	{afterValue, beforeName, []chunkClass{octetSemicolon}},
	{beforeName, beforeName, []chunkClass{octetSpace}},
	{beforeName, inName, []chunkClass{octetHex, octetToken}},
	{inName, inName, []chunkClass{octetHex, octetToken}},
	{inName, afterName, []chunkClass{octetSpace}},
	{inName, beforeVal, []chunkClass{octetEqual}},
	{inName, beforeName, []chunkClass{octetSemicolon}},
	{inName, atLF, []chunkClass{octetCR}},
	{afterName, afterName, []chunkClass{octetSpace}},
	{afterName, beforeVal, []chunkClass{octetEqual}},
	{afterName, beforeName, []chunkClass{octetSemicolon}},
	{beforeVal, beforeVal, []chunkClass{octetSpace}},
	{beforeVal, inVal, []chunkClass{octetHex, octetToken}},
	{beforeVal, inQuotes, []chunkClass{octetQuote}},
	{inVal, inVal, []chunkClass{octetHex, octetToken}},
	{inVal, afterValue, []chunkClass{octetSpace}},
	{inVal, beforeName, []chunkClass{octetSemicolon}},
	{inVal, atLF, []chunkClass{octetCR}},
	{inQuotes, inQuotes, []chunkClass{octetHex, octetToken, octetSpace, octetSemicolon, octetEqual, octetText}},
	{inQuotes, inEscape, []chunkClass{octetBackslash}},
	{inQuotes, afterQuote, []chunkClass{octetQuote}},
	{inEscape, inQuotes, []chunkClass{octetHex, octetToken, octetSpace, octetSemicolon, octetEqual, octetText, octetQuote, octetBackslash}},
	{afterQuote, afterValue, []chunkClass{octetSpace}},
	{afterQuote, beforeName, []chunkClass{octetSemicolon}},
	{afterQuote, atLF, []chunkClass{octetCR}},
	{atLF, atSize, []chunkClass{octetLF}},
}

var chunkNext, chunkOctet = compileChunkLine()

func compileChunkLine() (next [chunkStates][chunkClasses]chunkState, class [256]chunkClass) {
	for s := range next {
		for c := range next[s] {
			next[s][c] = chunkBad
		}
	}
	for _, move := range chunkMoves {
		for _, c := range move.on {
			next[move.from][c] = move.to
		}
	}
	special := map[byte]chunkClass{
		' ': octetSpace, '\t': octetSpace, ';': octetSemicolon, '=': octetEqual,
		'"': octetQuote, '\\': octetBackslash, '\r': octetCR, '\n': octetLF,
	}
	for i := range 256 {
		c := byte(i)
		switch {
		case special[c] != 0:
			class[i] = special[c]
		case octets[c]&isHex != 0:
			class[i] = octetHex
		case octets[c]&isToken != 0:
			class[i] = octetToken
		case octets[c]&isValue != 0:
			class[i] = octetText
		}
	}
	return next, class
}
