package images

import (
	"encoding/binary"
	"hash/crc32"
	"io"
)

// pngReader gives a decoder what it decodes of a PNG, and no more: the header, the
// palette, the transparency, and the pixels as one chunk. image/png allocates 4 KiB
// for each chunk that it skips, also for those of pixels behind the last one, and a
// file may be made of such chunks.
//
// https://www.w3.org/TR/png-3/#5Chunk-layout
type pngReader struct {
	rest   []byte  // chunks that have not been looked at
	out    []byte  // what comes before them
	room   [8]byte // for an out that is not in the file
	phase  pngPhase
	sum    uint32 // checksum of the chunk of pixels so far
	broken bool   // the checksum of a part of it is wrong
}

// pngPhase is where a pngReader is: each one leads to the next.
type pngPhase uint8

const (
	beforePixels pngPhase = iota
	inPixels
	behindPixels
)

const (
	pngHead = 8 // bytes before the body of a chunk
	pngSum  = 4 // bytes behind it
)

func newPNGReader(data []byte) *pngReader {
	n := min(len(pngMagic), len(data))
	return &pngReader{out: data[:n], rest: data[n:]}
}

func (r *pngReader) Read(p []byte) (int, error) {
	for len(r.out) == 0 {
		if len(r.rest) == 0 && r.phase != inPixels {
			return 0, io.EOF
		}
		r.next()
	}
	n := copy(p, r.out)
	r.out = r.out[n:]
	return n, nil
}

// next looks at a chunk, and puts what is to be read of it into out.
func (r *pngReader) next() {
	kind, body, chunk := cutPNGChunk(r.rest)
	pixels := string(kind) == "IDAT"
	switch {
	case pixels && r.phase == beforePixels:
		binary.BigEndian.PutUint32(r.room[:], pixelBytes(r.rest))
		r.out = append(r.room[:4], kind...)
		r.phase, r.sum = inPixels, crc32.ChecksumIEEE(r.out[4:])
	case pixels && r.phase == inPixels:
		r.out, r.rest = body, r.rest[len(chunk):]
		r.sum = crc32.Update(r.sum, crc32.IEEETable, body)
		sum := chunk[pngHead+len(body):]
		r.broken = r.broken || len(sum) < pngSum || binary.BigEndian.Uint32(sum) != crc32.ChecksumIEEE(chunk[4:pngHead+len(body)])
	case r.phase == inPixels:
		if r.phase = behindPixels; r.broken {
			r.sum = ^r.sum // for the decoder to find
		}
		r.out = binary.BigEndian.AppendUint32(r.room[:0], r.sum)
	default:
		r.rest = r.rest[len(chunk):]
		switch string(kind) {
		case "", "IHDR", "PLTE", "tRNS", "IEND":
			r.out = chunk
		}
	}
}

// cutPNGChunk returns the first chunk of some, and what it is. Of one that is cut off it
// returns what there is; without a kind, if that is not known.
func cutPNGChunk(chunks []byte) (kind, body, chunk []byte) {
	if len(chunks) < pngHead {
		return nil, nil, chunks
	}
	size := pngHead + uint64(binary.BigEndian.Uint32(chunks))
	body = chunks[pngHead:min(size, uint64(len(chunks)))]
	chunk = chunks[:min(size+pngSum, uint64(len(chunks)))]
	return chunks[4:pngHead], body, chunk
}

// pixelBytes is how long the bodies of the chunks of pixels are with which some chunks
// begin, as they say.
func pixelBytes(chunks []byte) (n uint32) {
	for {
		kind, _, chunk := cutPNGChunk(chunks)
		if string(kind) != "IDAT" {
			return n
		}
		n += binary.BigEndian.Uint32(chunks)
		chunks = chunks[len(chunk):]
	}
}
