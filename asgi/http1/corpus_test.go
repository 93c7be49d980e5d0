package http1

import (
	"testing"

	"github.com/gale-server/gale/asgi/internal/h1spec"
	"github.com/gale-server/gale/asgi/internal/smuggling"
)

func TestH1Spec(t *testing.T) {
	if len(h1spec.Cases) != 33 {
		t.Errorf("%d cases", len(h1spec.Cases))
	}
	for _, tt := range h1spec.Cases {
		t.Run(tt.Name, func(t *testing.T) {
			if tt.Waits {
				waits(t, nil, tt.Raw)
			} else {
				verdict(t, tt.Raw, tt.Status, 1)
			}
		})
	}
}

func TestLeniencies(t *testing.T) { verdicts(t, smuggling.Leniencies()) }
func TestGarden(t *testing.T)     { verdicts(t, smuggling.Garden()) }
func TestGunicorn(t *testing.T)   { verdicts(t, smuggling.Gunicorn()) }

func verdicts(t *testing.T, cases []smuggling.Case) {
	for _, tt := range cases {
		t.Run(tt.Name, func(t *testing.T) { verdict(t, tt.Raw, tt.Status, tt.Requests) })
	}
}
