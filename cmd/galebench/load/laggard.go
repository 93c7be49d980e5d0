package load

import (
	"errors"
	"fmt"
	"net/netip"
)

// Laggard is a subscriber to a channel of gale's that reads nothing until it is told
// to. What its kernel and the server's keep for it is little.
//
// Not safe for concurrent use.
type Laggard struct {
	conn   *conn
	talker *webSocketTalker
	stamp  stamp
	place  place
}

// OpenLaggard subscribes to the first room of a crowd with a single publisher, which
// must not have published yet.
func OpenLaggard(server netip.AddrPort, prefix string, size int) (*Laggard, error) {
	stamp, err := newStamp(size)
	if err != nil {
		return nil, err
	}
	c, err := dialNarrow(server)
	if err != nil {
		return nil, err
	}
	l := &Laggard{conn: c, stamp: stamp}
	if err := l.subscribe(prefix + "0"); err != nil {
		c.close()
		return nil, err
	}
	return l, nil
}

func (l *Laggard) subscribe(channel string) (err error) {
	rooms := NewGaleRooms().(language)
	if l.talker, err = rooms.connect(l.conn, rooms.subscribes); err != nil {
		return err
	}
	answer, err := ask(l.conn, l.talker, appendFrameOf(nil, opText, frameKey, fmt.Appendf(nil, rooms.join.say, channel)))
	if err != nil {
		return err
	}
	all, err := pushes(answer)
	if err != nil || len(all) != 1 || all[0].Subscribed == nil {
		return fmt.Errorf("load: the subscription was answered with %.200q, %w", answer, err)
	}
	l.place = all[0].Subscribed.Position
	return nil
}

// Close resets the connection.
func (l *Laggard) Close() { l.conn.close() }

// Fate is what has become of a laggard.
type Fate struct {
	Heard     int   // publications
	Gaps      int   // that were told
	Missed    int64 // publications in them
	AfterGaps int   // publications that were heard after the last gap
	CloseCode int   // of the server; 0 if it has not closed the WebSocket
}

// CatchUp reads until everything has come up to the publication top, or the server
// closes the WebSocket. What is neither heard, in order, nor told to be missing is an
// error.
func (l *Laggard) CatchUp(top int64) (f Fate, err error) {
	buf := make([]byte, readBytes)
	for l.place.Offset < uint64(top) {
		n, err := l.conn.readSome(buf)
		if err != nil {
			return f, err
		}
		say, err := l.talker.read(buf[:n], func(text []byte) error { return l.took(&f, text) })
		if end := closed(nil); errors.As(err, &end) {
			f.CloseCode = end.code()
			return f, nil
		}
		if err == nil {
			err = l.conn.send(say)
		}
		if err != nil {
			return f, err
		}
	}
	return f, nil
}

func (l *Laggard) took(f *Fate, text []byte) error {
	all, err := pushes(text)
	for _, p := range all {
		switch {
		case err != nil:
		case p.Gap != nil:
			f.Gaps++
			f.Missed += p.Gap.Missing
			f.AfterGaps = 0
			err = l.place.pass(*p.Gap)
		case p.Message != nil:
			f.Heard++
			f.AfterGaps++
			err = l.place.follow(p.Message.place, p.Message.Data, l.stamp)
		}
	}
	return err
}
