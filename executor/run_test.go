package executor

import (
	"context"
	"errors"
	"testing"
)

func TestRun(t *testing.T) {
	e, err := New(Config{})
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{CPU, Blocking} {
		v, err := Run(context.Background(), e.Class(name), func(ctx context.Context) (int, error) { return 7, nil })
		if v != 7 || err != nil {
			t.Fatal(v, err)
		}
		_, err = Run(context.Background(), e.Class(name), func(ctx context.Context) (int, error) { panic("x") })
		var p *PanicError
		if !errors.As(err, &p) {
			t.Fatal(err)
		}
	}
	if err := e.Shutdown(context.Background()); err != nil {
		t.Fatal(err)
	}
}
