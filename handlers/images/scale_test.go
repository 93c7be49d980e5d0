package images

import (
	"bytes"
	"context"
	"encoding/binary"
	"image"
	"image/color"
	"io"
	"math"
	"math/rand/v2"
	"testing"

	"golang.org/x/image/draw"
)

func idle() *meter { return &meter{ctx: context.Background()} }

// picture returns pixels that are neither flat nor noise, some transparent.
func picture(w, h int, alpha bool) *image.RGBA {
	m := image.NewRGBA(image.Rect(0, 0, w, h))
	random := rand.New(rand.NewPCG(5, 6))
	for y := range h {
		for x := range w {
			a := 255.0
			if alpha {
				a = 127.5 + 127.5*math.Sin(float64(x+y)/9)
			}
			pix := m.Pix[m.PixOffset(x, y):]
			for c := range 3 {
				v := 110 + 80*math.Sin(float64(x*(c+1))/11) + 40*math.Cos(float64(y)/(5+float64(c))) + 20*random.Float64()
				pix[c] = byte(max(0, min(v*a/255, a)))
			}
			pix[3] = byte(a)
		}
	}
	return m
}

func mostOff(a, b *image.RGBA) (most int) {
	for i := range a.Pix {
		most = max(most, int(a.Pix[i])-int(b.Pix[i]), int(b.Pix[i])-int(a.Pix[i]))
	}
	return most
}

// TestResample compares with golang.org/x/image/draw, which computes the same in
// floating point.
func TestResample(t *testing.T) {
	for _, alpha := range []bool{false, true} {
		src := picture(97, 61, alpha)
		for _, part := range []image.Rectangle{src.Rect, image.Rect(13, 7, 90, 60), image.Rect(5, 5, 6, 6)} {
			for _, size := range []image.Point{{97, 61}, {40, 30}, {1, 1}, {200, 150}, {33, 150}, {150, 20}, {96, 62}} {
				want := image.NewRGBA(image.Rectangle{Max: size})
				draw.CatmullRom.Scale(want, want.Rect, src, part, draw.Src, nil)
				got, err := resample(src, part, size, idle())
				if err != nil {
					t.Fatal(err)
				}
				if off := mostOff(got, want); off > 1 {
					t.Errorf("alpha %v, %v to %v: off by %d", alpha, part, size, off)
				}
			}
		}
	}
}

// TestKernel: the weights of each pixel sum up to one, near the middle of what
// they stand for.
func TestKernel(t *testing.T) {
	for size := 1; size < 70; size += 3 {
		for n := 1; n < 70; n++ {
			for i, taps := range catmullRom(size, n) {
				sum, middle := int32(0), 0.0
				for j, w := range taps.weights {
					sum += w
					middle += float64(w) * float64(taps.from+j) / (1 << weightBits)
				}
				if sum != 1<<weightBits || taps.from < 0 || taps.from+len(taps.weights) > size {
					t.Fatalf("%d to %d, pixel %d: %+v", size, n, i, taps)
				}
				want := (float64(i)+0.5)*float64(size)/float64(n) - 0.5
				if math.Abs(middle-want) > max(1, float64(size)/float64(n)) {
					t.Fatalf("%d to %d, pixel %d: middle %.2f, want %.2f", size, n, i, middle, want)
				}
			}
		}
	}
}

// TestShrinkBoxes compares with means taken plainly.
func TestShrinkBoxes(t *testing.T) {
	src := picture(103, 77, true)
	for _, part := range []image.Rectangle{src.Rect, image.Rect(3, 5, 100, 70)} {
		for _, size := range []image.Point{{51, 38}, {34, 60}, {10, 7}, {1, 1}, {part.Dx(), 3}} {
			m, err := shrinkBoxes(src, part, size, idle())
			if err != nil {
				t.Fatal(err)
			}
			got := m.(*image.RGBA)
			for y := range size.Y {
				for x := range size.X {
					x0, x1 := part.Min.X+x*part.Dx()/size.X, part.Min.X+(x+1)*part.Dx()/size.X
					y0, y1 := part.Min.Y+y*part.Dy()/size.Y, part.Min.Y+(y+1)*part.Dy()/size.Y
					for c := range 4 {
						sum, n := 0, 0
						for v := y0; v < y1; v++ {
							for u := x0; u < x1; u++ {
								sum += int(src.Pix[src.PixOffset(u, v)+c])
								n++
							}
						}
						if want, got := (sum+n/2)/n, int(got.Pix[got.PixOffset(x, y)+c]); got != want {
							t.Fatalf("%v to %v at %d,%d: %d, want %d", part, size, x, y, got, want)
						}
					}
				}
			}
		}
	}
}

// TestShrinkYCbCr: averaging the planes is averaging the pixels, for each way in
// which colours are sampled, and parts that begin within a sample.
func TestShrinkYCbCr(t *testing.T) {
	src := picture(104, 78, false)
	for ratio := image.YCbCrSubsampleRatio444; ratio <= image.YCbCrSubsampleRatio410; ratio++ {
		m := image.NewYCbCr(src.Rect, ratio)
		wave := func(plane []byte, stride int, size, length float64) {
			for i := range plane {
				x, y := float64(i%stride), float64(i/stride)
				plane[i] = byte(128 + size*math.Sin(x/length)*math.Cos(y/length))
			}
		}
		wave(m.Y, m.YStride, 60, 3)
		wave(m.Cb, m.CStride, 25, 9)
		wave(m.Cr, m.CStride, -25, 11)
		for _, part := range []image.Rectangle{m.Rect, image.Rect(8, 4, 104, 78), image.Rect(3, 5, 101, 70)} {
			size := image.Pt(part.Dx()/4, part.Dy()/4)
			plain := image.NewRGBA(image.Rectangle{Max: part.Size()})
			draw.Draw(plain, plain.Rect, m, part.Min, draw.Src)
			small, err := shrinkBoxes(plain, plain.Rect, size, idle())
			if err != nil {
				t.Fatal(err)
			}
			planes, err := shrinkBoxes(m, part, size, idle())
			if err != nil {
				t.Fatal(err)
			}
			got := image.NewRGBA(small.Bounds())
			draw.Draw(got, got.Rect, planes, image.Point{}, draw.Src)
			sum := 0.0
			for i, v := range small.(*image.RGBA).Pix {
				sum += math.Abs(float64(v) - float64(got.Pix[i]))
			}
			if mean := sum / float64(len(got.Pix)); mean > 1 {
				t.Errorf("%v %v: off by %.1f in the mean", ratio, part, mean)
			}
		}
	}
}

// TestOrientations: EXIF's eight are laid as its table says, a point and its way
// back agree, and two in turn are the same as their product.
func TestOrientations(t *testing.T) {
	src := picture(7, 4, false)
	// Where the pixel that is upright at (x, y) is stored, w and h being upright.
	stored := [9]func(x, y, w, h int) (int, int){
		1: func(x, y, w, h int) (int, int) { return x, y },
		2: func(x, y, w, h int) (int, int) { return w - 1 - x, y },
		3: func(x, y, w, h int) (int, int) { return w - 1 - x, h - 1 - y },
		4: func(x, y, w, h int) (int, int) { return x, h - 1 - y },
		5: func(x, y, w, h int) (int, int) { return y, x },
		6: func(x, y, w, h int) (int, int) { return y, w - 1 - x },
		7: func(x, y, w, h int) (int, int) { return h - 1 - y, w - 1 - x },
		8: func(x, y, w, h int) (int, int) { return h - 1 - y, x },
	}
	apply := func(o orientation, m *image.RGBA) *image.RGBA {
		dst, err := o.apply(m, idle())
		if err != nil {
			t.Fatal(err)
		}
		return dst
	}
	for n := 1; n <= 8; n++ {
		o := orientations[n]
		m := apply(o, src)
		size := m.Rect.Size()
		if size != o.size(src.Rect.Size()) {
			t.Errorf("%d: %v", n, size)
		}
		for y := range size.Y {
			for x := range size.X {
				sx, sy := stored[n](x, y, size.X, size.Y)
				if m.RGBAAt(x, y) != src.RGBAAt(sx, sy) {
					t.Fatalf("%d: at %d,%d is not what is stored at %d,%d", n, x, y, sx, sy)
				}
				if r := o.before(image.Rect(x, y, x+1, y+1), size); r != image.Rect(sx, sy, sx+1, sy+1) {
					t.Fatalf("%d: %d,%d was at %v, want %d,%d", n, x, y, r, sx, sy)
				}
			}
		}
		for next := 1; next <= 8; next++ {
			two, one := apply(orientations[next], m), apply(o.then(orientations[next]), src)
			if two.Rect != one.Rect || mostOff(two, one) != 0 {
				t.Errorf("%d then %d", n, next)
			}
		}
	}
}

func TestExifOrientation(t *testing.T) {
	build := func(order binary.AppendByteOrder, mark string, offset uint32, entries ...[4]uint32) []byte {
		b := order.AppendUint16([]byte(mark), 42)
		b = order.AppendUint32(b, offset)
		b = append(b, make([]byte, max(0, int(offset)-8)%64)...)
		b = order.AppendUint16(b, uint16(len(entries)))
		for _, e := range entries {
			b = order.AppendUint16(b, uint16(e[0]))
			b = order.AppendUint16(b, uint16(e[1]))
			b = order.AppendUint32(b, e[2])
			b = order.AppendUint16(b, uint16(e[3]))
			b = append(b, 0, 0)
		}
		return b
	}
	tag := func(n uint32) [4]uint32 { return [4]uint32{0x112, 3, 1, n} }
	other := [4]uint32{0x10e, 2, 1, 9}
	little, big := binary.LittleEndian, binary.BigEndian
	for _, c := range []struct {
		name string
		data []byte
		want int
	}{
		{"little", build(little, "II", 8, tag(6)), 6},
		{"big", build(big, "MM", 8, tag(8)), 8},
		{"after others", build(big, "MM", 8, other, other, tag(3)), 3},
		{"further on", build(little, "II", 30, other, tag(5)), 5},
		{"with its header", append([]byte("Exif\x00\x00"), build(little, "II", 8, tag(7))...), 7},
		{"nothing", nil, 1},
		{"no tag", build(little, "II", 8, other), 1},
		{"no entries", build(little, "II", 8), 1},
		{"zero", build(little, "II", 8, tag(0)), 1},
		{"nine", build(little, "II", 8, tag(9)), 1},
		{"another type", build(little, "II", 8, [4]uint32{0x112, 4, 1, 6}), 1},
		{"another order", build(little, "XX", 8, tag(6)), 1},
		{"not 42", append([]byte("II\x2b\x00"), build(little, "II", 8, tag(6))[4:]...), 1},
		{"offset past the end", build(little, "II", 1<<31, tag(6)), 1},
		{"largest offset", build(little, "II", 1<<32-1, tag(6)), 1},
		{"offset to the last byte", build(little, "II", 8, tag(6))[:9], 1},
		{"offset to the end", build(little, "II", 8, tag(6))[:8], 1},
		{"entry cut short", build(little, "II", 8, tag(6))[:20], 1},
		{"more entries than there are", append([]byte("II\x2a\x00\x08\x00\x00\x00\xff\xff"), build(little, "II", 8, other, other)[10:]...), 1},
	} {
		if got := exifOrientation(c.data); got != c.want {
			t.Errorf("%s: %d, want %d", c.name, got, c.want)
		}
	}
}

func FuzzExif(f *testing.F) {
	f.Add([]byte("II\x2a\x00\x08\x00\x00\x00\x01\x00\x12\x01\x03\x00\x01\x00\x00\x00\x06\x00\x00\x00"))
	f.Add([]byte("MM\x00\x2a\x00\x00\x00\x08\x00\x01\x01\x12\x00\x03\x00\x00\x00\x01\x00\x06\x00\x00"))
	f.Fuzz(func(t *testing.T, data []byte) {
		if n := exifOrientation(data); n < 1 || n > 8 {
			t.Fatal(n)
		}
	})
}

// TestWriter: an encoder ends with the context, or when it has written too much.
func TestWriter(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	w := &writer{most: 10, meter: &meter{ctx: ctx}}
	if n, err := w.Write(make([]byte, 10)); n != 10 || err != nil {
		t.Error(n, err)
	}
	if n, err := w.Write(make([]byte, 1)); n != 0 || err != errTooLong {
		t.Error(n, err)
	}
	w.most = 20
	cancel()
	if n, err := w.Write(make([]byte, 1)); n != 0 || err != context.Canceled {
		t.Error(n, err)
	}
}

// TestReader: a decoder hears of the end of the context soon, and of the end of
// the data.
func TestReader(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	r := &reader{from: bytes.NewReader(make([]byte, 5000)), size: 5000, meter: &meter{ctx: ctx}}
	p := make([]byte, 4096)
	read := 0
	for range 4 {
		n, err := r.Read(p)
		if n == 0 || n > 2048 || err != nil {
			t.Fatal(n, err)
		}
		read += n
	}
	cancel()
	if n, err := r.Read(p); n != 0 || err != context.Canceled {
		t.Error(n, err)
	}
	r.meter = idle()
	rest, err := io.ReadAll(r)
	if read+len(rest) != 5000 || err != nil {
		t.Error(read, len(rest), err)
	}
}

// TestGreyFrame: one component is not interleaved, whatever its sampling factors.
func TestGreyFrame(t *testing.T) {
	f, err := parseFrame([]byte{8, 0, 8, 0, 8, 1, 1, 0x22, 0})
	if err != nil || f.cost() != 64 {
		t.Error(f, err)
	}
}

// TestDither: what one pixel misses of its colour others make up for.
func TestDither(t *testing.T) {
	for _, want := range []int{10, 100, 128, 200} {
		m := image.NewRGBA(image.Rect(0, 0, 64, 64))
		draw.Draw(m, m.Rect, image.NewUniform(color.Gray{uint8(want)}), image.Point{}, draw.Src)
		dst, err := dither(m, color.Palette{color.Black, color.White}, idle())
		if err != nil {
			t.Fatal(err)
		}
		sum := 0
		for _, i := range dst.Pix {
			sum += 255 * int(i)
		}
		if mean := sum / len(dst.Pix); mean < want-4 || mean > want+4 {
			t.Errorf("grey of %d: %d in the mean", want, mean)
		}
	}
}
