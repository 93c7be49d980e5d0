package main

import (
	_ "embed"
	"math/rand/v2"
	"strings"
	"sync"
)

//go:embed prose.txt
var proseText string

// chain says which words may follow a word: those that do so in a text, each as
// often as it does. A sentence begins with what follows "".
type chain map[string][]string

var prose = sync.OnceValue(func() chain { return newChain(proseText) })

func newChain(text string) chain {
	c := make(chain)
	before := ""
	for _, word := range strings.Fields(text) {
		c[before] = append(c[before], word)
		if before = word; endsSentence(word) {
			before = ""
		}
	}
	return c
}

func endsSentence(word string) bool { return strings.HasSuffix(word, ".") }

// The measures of a paragraph.
const (
	paragraphSentences = 5
	sentenceWords      = 30 // in a longer one, the next full stop that fits is taken
	tokenBytes         = 5  // of a word; all words are ASCII
)

// paragraph returns the tokens of a paragraph, which joined are its text. It
// depends on the seed and the number only, so that one that was cut off can be gone
// on with anywhere.
func (c chain) paragraph(seed, number uint64) (tokens []string) {
	random := rand.New(rand.NewPCG(seed, number))
	for n := range paragraphSentences {
		word := ""
		for words := 0; words == 0 || !endsSentence(word); words++ {
			follow := c[word]
			word = follow[random.IntN(len(follow))]
			if words >= sentenceWords {
				for _, w := range follow {
					if endsSentence(w) {
						word = w
						break
					}
				}
			}
			space := " "
			if n == 0 && words == 0 {
				space = ""
			}
			tokens = appendPieces(tokens, space+word)
		}
	}
	return append(tokens, "\n\n")
}

// appendPieces cuts a word into tokens.
func appendPieces(tokens []string, word string) []string {
	for len(word) > tokenBytes+2 {
		tokens = append(tokens, word[:tokenBytes])
		word = word[tokenBytes:]
	}
	return append(tokens, word)
}
