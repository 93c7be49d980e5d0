package wire

import (
	"encoding/binary"
	"fmt"
)

// Version of the protocol. Both hellos carry it; sides of different versions do
// not work together.
const Version = 1

// Sizes in bytes.
const (
	HeaderBytes      = 12
	MaxNameBytes     = 255       // the name of a job
	MaxControlBytes  = 256 << 10 // the body of a Hello or an Error
	MaxProgressBytes = 64 << 10  // the body of a Progress
)

// MaxJobs is how many jobs a worker's hello may name: far more than a program
// has, and few enough to be kept for each worker.
const MaxJobs = 1024

// MaxDepth is how deep arrays and objects may be nested in the JSON of a frame:
// more than this version says, for what a later one may add.
const MaxDepth = 16

// magic is the first byte of every frame. It is no ASCII, and no byte that UTF-8
// starts a character with, so text that strays onto the stream is noticed at its
// first byte.
const magic = 0xA7

// memoryFlag says that the payload is in shared memory.
const memoryFlag = 0x01

// Type is what a frame says.
type Type byte

// The types. The zero Type is no frame: it is how [Machine.Next] asks for more.
const (
	NeedData Type = iota
	Hello         // both ways, once, first: what this side is
	Job           // to the worker: run this
	Cancel        // to the worker: the job's result is not wanted any more
	Ping          // to the worker: say that you live
	Result        // to the host: what came out of the job
	Progress      // to the host: how far the job is
	Error         // to the host: why nothing came out, or why there is no hello
	Pong          // to the host: I live
	types
)

var typeNames = [types]string{"NeedData", "Hello", "Job", "Cancel", "Ping", "Result", "Progress", "Error", "Pong"}

// String is the name of the type, or its number.
func (t Type) String() string {
	if t < types {
		return typeNames[t]
	}
	return fmt.Sprintf("Type(%d)", byte(t))
}

// header is the first 12 bytes of a frame:
//
//	byte  0      magic, 0xA7
//	byte  1      type
//	byte  2      flags: 0x01 the payload is in shared memory
//	byte  3      zero
//	bytes 4-7    number of the job or ping, big endian; zero in a hello
//	bytes 8-11   length of the body, big endian
type header struct {
	typ    Type
	flags  byte
	number uint32
	length uint32
}

func (h header) append(dst []byte) []byte {
	dst = append(dst, magic, byte(h.typ), h.flags, 0)
	dst = binary.BigEndian.AppendUint32(dst, h.number)
	return binary.BigEndian.AppendUint32(dst, h.length)
}

func parseHeader(b []byte) (header, bool) {
	return header{
		typ:    Type(b[1]),
		flags:  b[2],
		number: binary.BigEndian.Uint32(b[4:]),
		length: binary.BigEndian.Uint32(b[8:]),
	}, b[3] == 0
}
