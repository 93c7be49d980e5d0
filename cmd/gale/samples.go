package main

import (
	"bytes"
	"context"
	"encoding/json"
	"image"
	"image/color"
	"image/gif"
	"image/jpeg"
	"image/png"
	"math"
	"math/cmplx"
	"strings"
	"sync"

	"github.com/gale-server/gale/asgi"
	"github.com/gale-server/gale/executor"
	"github.com/gale-server/gale/handlers"
)

// sample is a picture that the demo draws itself, so that it can be tried
// without files.
type sample struct {
	name          string // its end is the format
	width, height int
	column        func(x float64) painter // x goes from 0 to width/height
}

// painter says the colours of a column of pixels; y goes from 0 to 1.
type painter func(y float64) color.NRGBA

// plain is a column whose pixels have nothing in common.
func plain(at func(x, y float64) color.NRGBA) func(x float64) painter {
	return func(x float64) painter { return func(y float64) color.NRGBA { return at(x, y) } }
}

// sampleList is what there is. The first is the one that machines are saturated
// with: it takes the longest.
var sampleList = []sample{
	{"hills.jpg", 3200, 2400, hills},
	{"julia.jpg", 1800, 1200, plain(julia)},
	{"ripples.jpg", 1200, 1800, plain(ripples)},
	{"flower.png", 1000, 1000, plain(flower)},
	{"plasma.gif", 900, 600, plain(plasma)},
}

// samples draws each sample when it is asked for first, as a job of the
// executor, and keeps it.
//
// Safe for concurrent use.
type samples struct {
	class *executor.Class
	mu    sync.Mutex
	drawn map[string][]byte
}

func newSamples(class *executor.Class) *samples {
	return &samples{class: class, drawn: make(map[string][]byte)}
}

// list is the handler that names the samples.
func (s *samples) list() asgi.Handler {
	names := make([]string, len(sampleList))
	for i := range sampleList {
		names[i] = sampleList[i].name
	}
	body, err := json.Marshal(names)
	if err != nil {
		panic(err) // strings can be marshalled
	}
	return handlers.NewFixed(200, string(body), asgi.Header{Name: "content-type", Value: "application/json"})
}

// serve is the application that sends a sample.
func (s *samples) serve(ctx context.Context, scope *asgi.Scope, _ asgi.Receive, send asgi.Send) error {
	name := strings.TrimPrefix(handlers.Path(scope), "/")
	data, err := s.get(ctx, name)
	if err != nil {
		return err
	}
	start := &asgi.HTTPResponseStart{Status: 200, Headers: []asgi.Header{
		{Name: "content-type", Value: sampleType(name)},
		{Name: "cache-control", Value: "max-age=3600"},
	}}
	if data == nil {
		start.Status, start.Headers, data = 404, nil, []byte("no such sample\n")
	}
	if err := send(ctx, start); err != nil {
		return err
	}
	// In pieces, since what the socket does not take at once waits in an outbox
	// that has a bound: send waits for it.
	for more := true; more; {
		n := min(len(data), 64<<10)
		more = n < len(data)
		if err := send(ctx, &asgi.HTTPResponseBody{Body: data[:n], MoreBody: more}); err != nil {
			return err
		}
		data = data[n:]
	}
	return nil
}

func sampleType(name string) string {
	_, end, _ := strings.Cut(name, ".")
	return "image/" + strings.Replace(end, "jpg", "jpeg", 1)
}

// get returns a sample's file; nil if there is none of that name. Those who ask
// for the same one meanwhile wait for the same job.
func (s *samples) get(ctx context.Context, name string) ([]byte, error) {
	s.mu.Lock()
	data := s.drawn[name]
	s.mu.Unlock()
	if data != nil {
		return data, nil
	}
	for _, of := range sampleList {
		if of.name == name {
			return executor.Run(ctx, s.class, func(ctx context.Context) ([]byte, error) {
				data, err := of.draw(ctx)
				if err == nil {
					s.mu.Lock()
					defer s.mu.Unlock()
					s.drawn[name] = data
				}
				return data, err
			}, executor.Job{Key: name, Label: "sample", RunCost: int64(of.width) * int64(of.height) * 4})
		}
	}
	return nil, nil
}

// draw draws the picture and encodes it as its name says.
func (s *sample) draw(ctx context.Context) ([]byte, error) {
	m := image.NewRGBA(image.Rect(0, 0, s.width, s.height)) // which the encoders are quick with
	for x := range s.width {
		if err := context.Cause(ctx); err != nil {
			return nil, err
		}
		at := s.column(float64(x) / float64(s.height))
		for y := range s.height {
			c := at(float64(y) / float64(s.height))
			alpha := uint16(c.A)
			p := m.Pix[m.PixOffset(x, y):]
			p[0], p[1], p[2], p[3] = uint8(uint16(c.R)*alpha/255), uint8(uint16(c.G)*alpha/255), uint8(uint16(c.B)*alpha/255), c.A
		}
	}
	var b bytes.Buffer
	var err error
	switch sampleType(s.name) {
	case "image/png":
		err = png.Encode(&b, m)
	case "image/gif":
		err = gif.Encode(&b, m, nil)
	default:
		err = jpeg.Encode(&b, m, &jpeg.Options{Quality: 85})
	}
	return b.Bytes(), err
}

// mix goes from a to b as t goes from 0 to 1.
func mix(a, b color.NRGBA, t float64) color.NRGBA {
	t = min(max(t, 0), 1)
	between := func(a, b uint8) uint8 { return uint8(float64(a) + (float64(b)-float64(a))*t) }
	return color.NRGBA{between(a.R, b.R), between(a.G, b.G), between(a.B, b.B), between(a.A, b.A)}
}

// wheel is a smooth circle of colours; t counts the rounds.
func wheel(t, red, green, blue float64) color.NRGBA {
	part := func(phase float64) uint8 { return uint8(127.5 + 127.5*math.Cos(2*math.Pi*(t+phase))) }
	return color.NRGBA{part(red), part(green), part(blue), 255}
}

// hills are ridges behind each other in the haze of a morning.
func hills(x float64) painter {
	var ridges [7]float64 // the nearest last
	for i := 1.0; i < 7; i++ {
		ridges[int(i)] = 0.44 + 0.075*i +
			0.050*math.Sin(x*(1.7+0.6*i)+2.1*i) +
			0.022*math.Sin(x*(5.3+1.1*i)+4.7*i) +
			0.007*math.Sin(x*(23+3*i)+i) +
			0.003*math.Sin(x*(71+5*i))
	}
	return func(y float64) color.NRGBA {
		for i := 6.0; i >= 1; i-- {
			if below := y - ridges[int(i)]; below > 0 {
				ground := mix(color.NRGBA{226, 164, 134, 255}, color.NRGBA{16, 36, 46, 255}, i/6)
				return mix(ground, color.NRGBA{236, 186, 150, 255}, below*(2.4-0.35*i))
			}
		}
		sky := mix(color.NRGBA{38, 70, 120, 255}, color.NRGBA{252, 196, 140, 255}, 1.7*y)
		sun := math.Hypot(x-0.92, y-0.36)
		sky = mix(color.NRGBA{255, 226, 170, 255}, sky, 0.55+2*sun)
		return mix(color.NRGBA{255, 244, 214, 255}, sky, 14*(sun-0.055))
	}
}

// julia is a Julia set.
func julia(x, y float64) color.NRGBA {
	const rounds = 120
	z := complex((x-0.75)*2.3, (y-0.5)*2.3)
	for i := range rounds {
		z = z*z + complex(-0.79, 0.15)
		if d := real(z)*real(z) + imag(z)*imag(z); d > 64 {
			smooth := float64(i) - math.Log2(math.Log2(d)/2)
			return wheel(0.028*smooth, 0.55, 0.42, 0.30)
		}
	}
	return color.NRGBA{10, 14, 24, 255}
}

// ripples are the waves of three drops.
func ripples(x, y float64) color.NRGBA {
	height := 0.0
	for i, drop := range [][2]float64{{0.15, 0.2}, {0.52, 0.46}, {0.2, 0.8}} {
		d := math.Hypot(x-drop[0], y-drop[1])
		height += math.Sin(d*(70+15*float64(i))) / (1 + 6*d)
	}
	return mix(color.NRGBA{6, 48, 72, 255}, color.NRGBA{150, 226, 216, 255}, 0.42+0.34*height+0.2*(1-y))
}

// flower has petals, and nothing around them.
func flower(x, y float64) color.NRGBA {
	p := complex(x-0.5, y-0.5)
	r, angle := cmplx.Polar(p)
	edge := 0.24 + 0.17*math.Cos(8*angle) + 0.05*math.Cos(16*angle)
	petal := mix(color.NRGBA{255, 208, 92, 255}, color.NRGBA{214, 51, 108, 255}, 3.1*r-0.1)
	petal = mix(petal, color.NRGBA{120, 20, 80, 255}, 0.25+0.25*math.Cos(32*angle))
	if r < 0.085 {
		petal = mix(color.NRGBA{92, 52, 20, 255}, color.NRGBA{250, 176, 5, 255}, r/0.085)
	}
	petal.A = uint8(255 * min(max((max(edge, 0.085)-r)*300, 0), 1))
	return petal
}

// plasma is what screens showed in 1990.
func plasma(x, y float64) color.NRGBA {
	v := math.Sin(7*x+2) + math.Sin(9*y) + math.Sin(6*(x+y)) + math.Sin(14*math.Hypot(x-0.7, y-0.4))
	return wheel(0.16*v, 0.0, 0.25, 0.6)
}
