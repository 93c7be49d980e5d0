package chat

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

const zeroWidthJoiner = '\u200d' // holds emoji together

// cleanName returns a name as it is shown, and whether it can be one: something
// to see, of at most maxRunes, and nothing that does not show or turns the
// writing direction of what follows.
func cleanName(name string, maxRunes int) (string, bool) {
	name = strings.Join(strings.Fields(name), " ")
	if name == "" || strings.HasPrefix(name, string(zeroWidthJoiner)) || utf8.RuneCountInString(name) > maxRunes {
		return "", false
	}
	for _, r := range name {
		if !unicode.IsPrint(r) && r != zeroWidthJoiner {
			return "", false
		}
	}
	return name, true
}

// cleanText returns a text without the white space around it, and whether it can
// be published: not empty, at most maxRunes, no control characters but line
// breaks and tabs.
func cleanText(text string, maxRunes int) (string, bool) {
	text = strings.TrimSpace(strings.ReplaceAll(text, "\r\n", "\n"))
	if text == "" || utf8.RuneCountInString(text) > maxRunes {
		return "", false
	}
	for _, r := range text {
		if unicode.IsControl(r) && r != '\n' && r != '\t' {
			return "", false
		}
	}
	return text, true
}

const maxRoomBytes = 32

func validRoom(room string) bool {
	if room == "" || len(room) > maxRoomBytes {
		return false
	}
	for i := range len(room) {
		c := room[i]
		if (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-' {
			return false
		}
	}
	return true
}

// validToken is the shape of sessions and message ids: visible ASCII.
func validToken(token string, minBytes, maxBytes int) bool {
	if len(token) < minBytes || len(token) > maxBytes {
		return false
	}
	for i := range len(token) {
		if token[i] <= ' ' || token[i] > '~' {
			return false
		}
	}
	return true
}
