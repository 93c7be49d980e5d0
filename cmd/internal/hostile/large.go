package hostile

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"time"
)

// readLarge reads the response of /large and compares every byte, the first
// sips pieces of it slowly.
func (p *peer) readLarge(ctx context.Context, sips int) error {
	r, err := http.ReadResponse(p.in, nil)
	if err != nil {
		return err
	}
	defer r.Body.Close()
	buf := make([]byte, 32<<10)
	at := 0
	for {
		if sips > 0 {
			sips--
			if err := rest(ctx, 20*time.Millisecond); err != nil {
				return err
			}
		} else if err := p.t.pause(ctx); err != nil {
			return err
		}
		_ = p.conn.SetReadDeadline(time.Now().Add(p.t.Patience))
		n, err := r.Body.Read(buf)
		for _, b := range buf[:n] {
			if b != LargeByte(at) {
				return fmt.Errorf("byte %d of a large response is wrong", at)
			}
			at++
		}
		if err == io.EOF && at == LargeBytes {
			return nil
		}
		if err != nil {
			return fmt.Errorf("a large response ends at %d: %w", at, err)
		}
		if err := ctx.Err(); err != nil {
			return err
		}
	}
}
