package cgi

import (
	"bytes"
	"log/slog"
)

// lineLog logs what a program writes to its standard error, line by line.
type lineLog struct {
	log    *slog.Logger
	script string
	left   int64  // bytes that are still logged
	line   []byte // begun
}

// maxLine bounds a line in the log, in bytes; a longer one becomes several.
const maxLine = 4 << 10

// write takes what was read.
func (l *lineLog) write(p []byte) {
	if l.left <= 0 || len(p) == 0 {
		return
	}
	dropped := int64(len(p)) > l.left
	if dropped {
		p = p[:l.left]
	}
	l.left -= int64(len(p))
	for len(p) > 0 {
		text, rest, found := bytes.Cut(p, []byte{'\n'})
		if room := maxLine - len(l.line); len(text) > room {
			text, rest, found = p[:room], p[room:], true
		}
		l.line = append(l.line, text...)
		if p = rest; found {
			l.flush()
		}
	}
	if dropped {
		l.flush()
		l.left = 0
		l.log.Warn("cgi: no more is logged of this program's standard error (Config.MaxStderrBytes)", "script", l.script)
	}
}

// flush logs the line that was begun.
func (l *lineLog) flush() {
	if line := bytes.TrimSuffix(l.line, []byte{'\r'}); len(line) > 0 {
		l.log.Warn("cgi: stderr", "script", l.script, "line", string(line))
	}
	l.line = l.line[:0]
}
