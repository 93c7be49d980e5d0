package asgitest

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"sync"
)

// logLines is a slog.Handler that keeps some attributes of each record, as a
// line.
//
// Safe for concurrent use.
type logLines struct {
	keys []string

	mu    sync.Mutex
	lines []string
}

func (l *logLines) Enabled(_ context.Context, level slog.Level) bool { return level >= slog.LevelInfo }
func (l *logLines) WithAttrs([]slog.Attr) slog.Handler               { return l }
func (l *logLines) WithGroup(string) slog.Handler                    { return l }

func (l *logLines) Handle(_ context.Context, r slog.Record) error {
	values := map[string]string{}
	r.Attrs(func(a slog.Attr) bool {
		values[a.Key] = a.Value.String()
		return true
	})
	line := ""
	for _, key := range l.keys {
		line += fmt.Sprintf(" %s=%s", key, values[key])
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.lines = append(l.lines, line)
	return nil
}

// are fails the test unless these lines were logged, in any order.
func (l *logLines) are(s *session, want ...string) {
	s.tb.Helper()
	l.mu.Lock()
	defer l.mu.Unlock()
	slices.Sort(l.lines)
	slices.Sort(want)
	if !slices.Equal(l.lines, want) {
		s.tb.Errorf("the log says %q, want %q", l.lines, want)
	}
}

var logCases = []testCase{
	{
		name:   "http/130 logs say what was asked for",
		clause: "decision: a record of the access log, and of a failed application, has the path as it was sent, for WebSockets too",
		link:   specMain + "#error-handling",
		run: func(s *session) {
			access := &logLines{keys: []string{"method", "path", "status"}}
			failures := &logLines{keys: []string{"protocol", "path"}}
			s.serveWith(Setup{AccessLog: slog.New(access), Logger: slog.New(failures)},
				respond("/a|b", "ok"), on("/fail", raise()), on("/closed", accepted(closed(4000, ""))...),
				on("/ws fail", accepted(raise())...), on("/denied", connected(), raise()))
			w := s.dial()
			w.get("/a|b?q").is(200, "ok")
			w.get("/f%61il").hasStatus(500)
			w = s.dial()
			w.upgrade("/closed?q")
			w.write(closeFrame(4000, ""))
			w.closing(4000, "")
			w.ends()
			w = s.dial()
			w.upgrade("/ws%20fail")
			w.closing(1011, "")
			w.write(closeFrame(1011, ""))
			w.ends()
			w = s.dial()
			w.write(handshake("/denied"))
			w.response("GET").hasStatus(500)
			w = s.dial()
			w.request("GET /refused", "Upgrade: websocket", "Connection: Upgrade", "Sec-WebSocket-Version: 12")
			w.response("GET").hasStatus(426)
			w = s.dial()
			w.request("GET *")
			w.response("GET").hasStatus(400)
			s.waitIdle()
			if err := s.stop(); err != nil {
				s.tb.Errorf("the engine stops with: %v", err)
			}
			access.are(s, " method=GET path=/a|b status=200", " method=GET path=/f%61il status=500",
				" method=WEBSOCKET path=/closed status=4000", " method=WEBSOCKET path=/ws%20fail status=1011",
				" method=WEBSOCKET path=/denied status=500", " method=GET path=/refused status=426",
				" method=- path=- status=400")
			failures.are(s, " protocol=http path=/f%61il", " protocol=websocket path=/ws%20fail", " protocol=websocket path=/denied")
		},
	},
}
