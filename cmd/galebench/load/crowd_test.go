package load

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"sync"
	"testing"
)

// lines is a medium for tests: a line "+a" subscribes to room a and is answered,
// a line "a text" publishes, and every publication is a line.
type lines struct{ primer bool }

func (m lines) primes() bool                    { return m.primer }
func (m lines) publisher(*conn) (talker, error) { return &lineReader{answered: m.primer}, nil }

func (m lines) subscribe(c *conn, room string) (receiver, error) {
	r := &lineReader{}
	answer, err := ask(c, r, []byte("+"+room+"\n"))
	if err == nil && string(answer) != "+" {
		err = fmt.Errorf("answer %q", answer)
	}
	return r, err
}

type lineReader struct {
	begun    []byte
	answered bool
}

func (r *lineReader) answers() bool { return r.answered }

func (r *lineReader) publication(room string, text []byte) []byte {
	return fmt.Appendf(nil, "%s %s\n", room, text)
}

func (r *lineReader) read(p []byte, text func([]byte) error) (say []byte, err error) {
	r.begun = append(r.begun, p...)
	for {
		line, rest, ok := bytes.Cut(r.begun, []byte("\n"))
		if !ok {
			return say, nil
		}
		if string(line) == "?" { // a question, as a ping is one
			say = append(say, "!\n"...)
		} else if err := text(line); err != nil {
			return say, err
		}
		r.begun = rest
	}
}

// lineServer is a server of lines that passes on what mangle makes of a
// publication for a subscriber.
type lineServer struct {
	answers bool
	mangle  func(subscriber int, line string) string

	mu      sync.Mutex
	rooms   map[string][]net.Conn
	said    int // answers to questions
	primers int
}

func (s *lineServer) start(t *testing.T) netip.AddrPort {
	s.rooms = make(map[string][]net.Conn)
	return serveConns(t, func(c net.Conn) {
		in := bufio.NewScanner(c)
		for in.Scan() {
			s.line(c, in.Text())
		}
	})
}

func (s *lineServer) line(c net.Conn, line string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if line == "!" {
		s.said++
		return
	}
	if room, ok := strings.CutPrefix(line, "+"); ok {
		s.rooms[room] = append(s.rooms[room], c)
		_, _ = c.Write([]byte("?\n+\n"))
		return
	}
	room, text, _ := strings.Cut(line, " ")
	if text == `"first"` {
		s.primers++
	}
	for i, to := range s.rooms[room] {
		out := text + "\n"
		if s.mangle != nil {
			out = s.mangle(i, out)
		}
		_, _ = to.Write([]byte(out))
	}
	if s.answers {
		_, _ = c.Write([]byte("published\n"))
	}
}

func openCrowd(t *testing.T, cfg CrowdConfig) *Crowd {
	t.Helper()
	c, err := OpenCrowd(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

func TestCrowd(t *testing.T) {
	for _, answers := range []bool{false, true} {
		t.Run(fmt.Sprint(answers), func(t *testing.T) {
			s := &lineServer{answers: answers}
			const subscribers, rooms, inFlight = 20, 3, 4
			c := openCrowd(t, CrowdConfig{Server: s.start(t), Medium: lines{answers}, Subscribers: subscribers, Rooms: rooms, InFlight: inFlight})
			var deliveries, publications int64
			for range 2 { // what is under way goes on in the second
				r, err := c.Run(runTime)
				if err != nil {
					t.Fatal(err)
				}
				if r.Deliveries == 0 || r.Publications == 0 || r.Elapsed < runTime || r.Latency.Quantile(1) <= 0 {
					t.Errorf("%+v", r)
				}
				deliveries, publications = deliveries+r.Deliveries, publications+r.Publications
			}
			if err := c.Finish(); err != nil {
				t.Fatal(err)
			}
			deliveries += c.deliveries
			var want, heard int64
			for _, r := range c.rooms {
				want += int64(r.heard * r.subscribers)
			}
			for _, s := range c.subscribers {
				heard += int64(s.heard)
			}
			if heard != want || want < publications*(subscribers/rooms) {
				t.Errorf("%d deliveries, want %d", heard, want)
			}
			s.mu.Lock()
			defer s.mu.Unlock()
			if s.said != subscribers {
				t.Errorf("%d of %d subscribers have answered", s.said, subscribers)
			}
			if answers != (s.primers == rooms+1) {
				t.Errorf("%d first messages", s.primers)
			}
		})
	}
}

// What a server does wrong is seen, whatever it is.
func TestCrowdFails(t *testing.T) {
	stamp, err := newStamp(40)
	if err != nil {
		t.Fatal(err)
	}
	var kept string
	for _, c := range []struct {
		name   string
		mangle func(subscriber, n int, line string) string // n counts what the server passes on
		want   error
		or     error // if all have heard it before it comes again
	}{
		{"twice", func(s, n int, line string) string {
			if s == 1 && n > 10 {
				return line + line
			}
			return line
		}, errOrder, errStray},
		{"twice to the last", func(s, n int, line string) string {
			if s == 2 && n > 10 {
				return line + line
			}
			return line
		}, errOrder, errStray},
		{"damaged", func(s, n int, line string) string { return strings.Replace(line, "abc", "abd", 1) }, errStamp, nil},
		{"cut short", func(s, n int, line string) string { return line[:len(line)/2] + "\n" }, errStamp, nil},
		{"another number", func(s, n int, line string) string { return string(stamp.of(0, 1<<20)) + "\n" }, errStray, nil},
		{"nobody's", func(s, n int, line string) string { return string(stamp.of(9, 1)) + "\n" }, errStray, nil},
		{"swapped for one", func(s, n int, line string) string {
			if s != 0 {
				return line
			}
			if kept == "" {
				kept = line
				return ""
			}
			line, kept = line+kept, ""
			return line
		}, errOrder, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			n := 0
			kept = ""
			s := &lineServer{mangle: func(subscriber int, line string) string {
				n++
				return c.mangle(subscriber, n, line)
			}}
			crowd := openCrowd(t, CrowdConfig{Server: s.start(t), Medium: lines{}, Subscribers: 3, InFlight: 2, Size: 40})
			_, err := crowd.Run(Patience)
			if err == nil {
				err = crowd.Finish()
			}
			if !errors.Is(err, c.want) && (c.or == nil || !errors.Is(err, c.or)) {
				t.Errorf("error %v, want %v", err, c.want)
			}
		})
	}
}

// One that is lost is missed when the next one comes, or when nothing does.
func TestCrowdMissesWhatIsLost(t *testing.T) {
	const lost = "0000" + "00000005" // of one publisher: if all wait for what is lost, nothing comes next
	s := &lineServer{mangle: func(subscriber int, line string) string {
		if subscriber == 1 && strings.Contains(line, lost) {
			return ""
		}
		return line
	}}
	c := openCrowd(t, CrowdConfig{Server: s.start(t), Medium: lines{}, Subscribers: 3, InFlight: 2})
	if _, err := c.Run(Patience); !errors.Is(err, errOrder) {
		t.Errorf("error %v, want %v", err, errOrder)
	}
	one := openCrowd(t, CrowdConfig{Server: s.start(t), Medium: lines{}, Subscribers: 3})
	if _, err := one.Run(runTime); err != nil {
		t.Fatal(err)
	}
	one.heardAt -= Patience
	if err := one.overdue(); err == nil || !strings.Contains(err.Error(), "1 of 3") {
		t.Errorf("error %v", err)
	}
}

func TestCrowdConfig(t *testing.T) {
	s := &lineServer{}
	server := s.start(t)
	for name, cfg := range map[string]CrowdConfig{
		"more rooms than subscribers": {Server: server, Medium: lines{}, Subscribers: 2, Rooms: 3},
		"too small":                   {Server: server, Medium: lines{}, Size: 31},
		"nobody listens":              {Server: netip.MustParseAddrPort("127.0.0.1:1"), Medium: lines{}},
	} {
		if _, err := OpenCrowd(cfg); err == nil {
			t.Errorf("%s: it was opened", name)
		}
	}
}

func TestStamp(t *testing.T) {
	s, err := newStamp(125)
	if err != nil {
		t.Fatal(err)
	}
	p := s.of(0x1234, 0x89abcdef)
	if len(p) != 125 || p[0] != '"' || p[124] != '"' || bytes.Count(p, []byte(`"`)) != 2 {
		t.Errorf("%q", p)
	}
	var got []string
	stream := fmt.Sprintf("{%s,%s}x%s", p, s.of(0, 1), p)
	err = s.scan([]byte(stream), func(slot int, number uint32) error {
		got = append(got, fmt.Sprintf("%x %x", slot, number))
		return nil
	})
	if err != nil || fmt.Sprint(got) != "[1234 89abcdef 0 1 1234 89abcdef]" {
		t.Errorf("%q, error %v", got, err)
	}
	for _, damaged := range []string{string(p[:124]), strings.Replace(string(p), "1234", "12g4", 1), strings.Replace(string(p), "z", "y", 1)} {
		if err := s.scan([]byte(damaged), func(int, uint32) error { return nil }); err != errStamp {
			t.Errorf("%q: error %v", damaged, err)
		}
	}
}

// readTexts gives a receiver a stream in pieces, and returns its texts and what
// is to be said.
func readTexts(r receiver, stream string, piece int) (texts []string, said string, err error) {
	for len(stream) > 0 && err == nil {
		n := min(piece, len(stream))
		var say []byte
		say, err = r.read([]byte(stream[:n]), func(p []byte) error {
			texts = append(texts, string(p))
			return nil
		})
		said += string(say)
		stream = stream[n:]
	}
	return texts, said, err
}

// However a stream is cut, the texts are the same.
func TestReceivers(t *testing.T) {
	frame := func(head byte, text string) string {
		switch {
		case len(text) < length16:
			return string([]byte{head, byte(len(text))}) + text
		case len(text) < 1<<16:
			return string([]byte{head, length16, byte(len(text) >> 8), byte(len(text))}) + text
		default:
			return string([]byte{head, length64, 0, 0, 0, 0, 0, byte(len(text) >> 16), byte(len(text) >> 8), byte(len(text))}) + text
		}
	}
	long, longer := strings.Repeat("long", 100), strings.Repeat("longer", 20000)
	response := func(fields, body string) string {
		return fmt.Sprintf("HTTP/1.1 200 OK\r\n%sContent-Length: %d\r\n\r\n%s", fields, len(body), body)
	}
	type want struct {
		texts string
		said  string
		err   error
	}
	for _, c := range []struct {
		name   string
		make   func() receiver
		stream string
		want
	}{
		{"frames", func() receiver { return &webSocketTalker{} },
			frame(0x81, "one") + frame(0x82, long) + frame(0x81, "") + frame(0x81, longer), want{texts: fmt.Sprint([]string{"one", long, "", longer})}},
		{"fragments", func() receiver { return &webSocketTalker{} },
			frame(0x01, "o") + frame(0x00, "n") + frame(0x8a, "pong") + frame(0x80, "e") + frame(0x81, "two"), want{texts: "[one two]"}},
		{"a ping", func() receiver { return &webSocketTalker{} },
			frame(0x89, "?") + frame(0x81, "one"), want{texts: "[one]", said: string(appendFrameOf(nil, opPong, frameKey, []byte("?")))}},
		{"a message for a ping", func() receiver { return &webSocketTalker{language: language{ping: "{}"}} },
			frame(0x81, "{}") + frame(0x81, "one"), want{texts: "[one]", said: string(appendFrameOf(nil, opText, frameKey, []byte("{}")))}},
		{"a close", func() receiver { return &webSocketTalker{} }, frame(0x81, "one") + frame(0x88, "\x03\xe8bye"), want{texts: "[one]", err: errClosed}},
		{"a masked frame", func() receiver { return &webSocketTalker{} }, "\x81\x81mask1", want{texts: "[]", err: errFrame}},
		{"reserved bits", func() receiver { return &webSocketTalker{} }, "\xc1\x01a", want{texts: "[]", err: errFrame}},
		{"posts", func() receiver { return &poster{} }, response("", "one") + response("A: b\r\n", "") + "HTTP/1.1 204 No Content\r\n\r\n" + response("", "two"),
			want{texts: "[one   two]"}},
		{"an unknown length", func() receiver { return &poster{} }, "HTTP/1.1 200 OK\r\n\r\n", want{texts: "[]", err: errResponse}},
		{"polls of gale", func() receiver { return &pollReader{polls: NewGalePolls().(polls), room: "r7"} },
			response("", `{"cursor":"a-b%_","messages":[]}`), want{texts: `[{"cursor":"a-b%_","messages":[]}]`,
				said: "GET /hub/poll?ch=r7&wait=55&cursor=a-b%_ HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"}},
		{"polls of nchan", func() receiver { return &pollReader{polls: NewNchanPolls().(polls), room: "r7"} },
			response("Last-Modified: today\r\nEtag: 3\r\n", "one"), want{texts: "[one]",
				said: "GET /poll?id=r7 HTTP/1.1\r\nHost: 127.0.0.1\r\nIf-Modified-Since: today\r\nIf-None-Match: 3\r\n\r\n"}},
	} {
		for _, piece := range pieces {
			texts, said, err := readTexts(c.make(), c.stream, piece)
			if fmt.Sprint(texts) != c.texts || said != c.said || !errors.Is(err, c.err) {
				t.Errorf("%s in pieces of %d: texts %.100q, said %q, error %v", c.name, piece, texts, said, err)
			}
		}
	}
	for name, stream := range map[string]string{
		"gale":  response("", `{"messages":[]}`),
		"nchan": response("", "one"),
		"408":   "HTTP/1.1 408 Timeout\r\nContent-Length: 0\r\n\r\n",
	} {
		medium := NewGalePolls()
		if name == "nchan" {
			medium = NewNchanPolls()
		}
		if _, said, err := readTexts(&pollReader{polls: medium.(polls)}, stream, len(stream)); err == nil {
			t.Errorf("%s: no error; said %q", name, said)
		}
	}
}

func TestEventReader(t *testing.T) {
	events := "retry: 1\n\n: hi\n\ndata: one\n\n" + "id: 7\ndata: two\n\n"
	chunked := ""
	for i := 0; i < len(events); i += 7 {
		n := min(7, len(events)-i)
		chunked += fmt.Sprintf("%x;a=b\r\n%s\r\n", n, events[i:i+n])
	}
	for name, stream := range map[string]string{"plain": events, "chunked": chunked} {
		for _, piece := range pieces {
			texts, _, err := readTexts(&eventReader{chunked: name == "chunked"}, stream, piece)
			if strings.Join(texts, "") != events || err != nil {
				t.Errorf("%s in pieces of %d: %q, error %v", name, piece, texts, err)
			}
			for _, text := range texts {
				if !strings.HasSuffix(text, "\n\n") {
					t.Errorf("%s in pieces of %d: an event is cut: %q", name, piece, text)
				}
			}
		}
	}
	for stream, want := range map[string]error{"0\r\n\r\n": errHungUp, "x\r\n": errResponse} {
		if _, _, err := readTexts(&eventReader{chunked: true}, stream, len(stream)); !errors.Is(err, want) {
			t.Errorf("%q: error %v, want %v", stream, err, want)
		}
	}
}

// The path of a subscriber, and what is not an event stream.
func TestEventStreams(t *testing.T) {
	asked := make(chan string, 1)
	server := serveConns(t, func(c net.Conn) {
		in := bufio.NewReader(c)
		line, _ := in.ReadString('\n')
		asked <- strings.TrimSpace(line)
		kind := "text/event-stream; charset=utf-8"
		if strings.Contains(line, "r1") {
			kind = "text/html"
		}
		fmt.Fprintf(c, "HTTP/1.1 200 OK\r\nContent-Type: %s\r\n\r\n", kind)
		_, _ = in.ReadString('\x00')
	})
	for room, fails := range map[string]bool{"r0": false, "r1": true} {
		c, err := dial(server, 0)
		if err != nil {
			t.Fatal(err)
		}
		_, err = NewEventStreams("/sse?id=%s").subscribe(c, room)
		if got, want := <-asked, "GET /sse?id="+room+" HTTP/1.1"; got != want || (err != nil) != fails {
			t.Errorf("%s: asked for %q, error %v", room, got, err)
		}
		c.close()
	}
}
