package socket_test

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/gale-server/gale/handlers/hub"
	"github.com/gale-server/gale/handlers/hub/socket"
)

// TestProtocol holds PROTOCOL.md to what is so: its example goes as it says, and
// each code of an error that a client can get is there, with its close code.
func TestProtocol(t *testing.T) {
	text, err := os.ReadFile("PROTOCOL.md")
	if err != nil {
		t.Fatal(err)
	}
	source, err := os.ReadFile("../errors.go")
	if err != nil {
		t.Fatal(err)
	}
	codes := regexp.MustCompile(`ErrorCode += "([a-z_]+)"`).FindAllSubmatch(source, -1)
	if len(codes) < 17 {
		t.Fatalf("%d codes", len(codes))
	}
	elsewhere := map[hub.ErrorCode]bool{hub.BadCursor: true} // of other transports
	for _, c := range codes {
		if code := hub.ErrorCode(c[1]); !elsewhere[code] && !strings.Contains(string(text), "\n| `"+string(code)+"` |") {
			t.Errorf("%s is not described", code)
		}
	}
	for _, m := range regexp.MustCompile("(?m)^\\| `([a-z_]+)` \\| [^|]*\\| (\\d{4})").FindAllSubmatch(text, -1) {
		if e := (&hub.Error{Code: hub.ErrorCode(m[1])}); string(m[2]) != strings.TrimSpace(show(e.CloseCode())) {
			t.Errorf("%s closes with %d, not %s", m[1], e.CloseCode(), m[2])
		}
	}

	p := newPlace(t, hub.Config{}, socket.Config{Authenticate: hub.Anyone(hub.Everything)})
	last := p.publish("news", "1", "2", "3", "4", "5")
	p.publish("news", `{"n":6}`, "seven")
	example := strings.ReplaceAll(string(text), "MZXW6YTB", last.Epoch)
	c := p.dial()
	var got []map[string]any
	lines := 0
	for line := range strings.Lines(example) {
		line = strings.TrimSpace(line)
		if command, ok := strings.CutPrefix(line, "> "); ok {
			if len(got) > 0 {
				t.Errorf("%s comes too", show(got))
			}
			c.say("%s", command)
			got = c.next()
			lines++
		}
		answer, ok := strings.CutPrefix(line, "< ")
		if !ok {
			continue
		}
		lines++
		for range 1 + strings.Count(answer, `},{"message"`) {
			if len(got) == 0 {
				t.Fatalf("%s does not come", answer)
			}
			for key, value := range got[0] {
				if !strings.Contains(answer, `"`+key+`":`) {
					t.Errorf("%s comes, not %s", show(got[0]), answer)
				}
				if o, ok := value.(map[string]any); ok {
					for key, value := range o {
						_, text := value.(string)
						if key == "time" || key == "client" {
							continue
						}
						if !strings.Contains(answer, `"`+key+`":`) || !text && !strings.Contains(answer, `"`+key+`":`+show(value)) {
							t.Errorf("%s comes, not %s", show(got[0]), answer)
						}
					}
				}
			}
			got = got[1:]
		}
	}
	if lines != 8 || len(got) > 0 {
		t.Errorf("%d lines, and then %s", lines, show(got))
	}
}
