package http1

// ceiling bounds what a negative head, target or trailer limit means; offsets
// into a head are 32 bits wide and one peer must not take a loop's memory.
const ceiling = 16 << 20

// maxMethodBytes bounds the method. The longest registered one has 17 octets
// (UPDATEREDIRECTREF); RFC 9112 §3 answers a longer one with 501.
const maxMethodBytes = 32

// Config holds the limits of machines. The zero value has the defaults; one
// Config is shared by any number of machines and must not change once in use.
//
// Safe for concurrent use while nobody changes it.
type Config struct {
	// MaxHeadBytes bounds a request head in bytes, from the first octet of the
	// request line through the empty line; beyond it the answer is 431, or 414
	// while still in the request line. Zero is 64 KiB: what browsers and proxies
	// with large cookies need. Negative is the most allowed, 16 MiB.
	MaxHeadBytes int

	// MaxTargetBytes bounds the request target in bytes; beyond it the answer is
	// 414. Zero is 16 KiB: RFC 9112 §3 asks for 8000 at least, and OAuth and SAML
	// redirects exceed that. Negative is the most allowed, 16 MiB.
	MaxTargetBytes int

	// MaxFields bounds the number of field lines of a head, and of a trailer
	// section; beyond it the answer is 431. Zero is 100, the custom of servers.
	// Negative is the most allowed, 65534.
	MaxFields int

	// MaxTrailerBytes bounds a trailer section in bytes, its empty line not
	// counted; beyond it the answer is 431. Zero is 8 KiB: trailers carry digests and statuses. Negative is the
	// most allowed, 16 MiB.
	MaxTrailerBytes int

	// MaxChunkExtensionBytes bounds the extensions of one chunk in bytes; beyond
	// it the answer is 400 (RFC 9112 §7.1.1). Zero is 256: nothing reads them.
	// Negative allows none.
	MaxChunkExtensionBytes int

	// MaxBodyExtensionBytes bounds the chunk extensions of one body together, in
	// bytes; beyond it the answer is 400. Without it one-octet chunks would carry
	// 256 octets of overhead each. Zero is 16 KiB. Negative allows none.
	MaxBodyExtensionBytes int

	// MaxBodyBytes bounds a request body in bytes; beyond it the answer is 413,
	// before the body when Content-Length tells. Zero is 1 GiB. Negative is
	// unlimited: bodies pass through and are never gathered here.
	MaxBodyBytes int64

	// MaxDrainBytes bounds how many bytes of an unread request body are read and
	// dropped after its response so that the connection can be used again;
	// beyond it the connection is closed (RFC 9112 §9.3). Zero is 64 KiB: cheaper
	// than a new connection. Negative drains nothing.
	MaxDrainBytes int64
}

var defaults Config

// bounded is limit v with its default for zero and most for negative values.
func bounded(v, standard, most int) int {
	if v == 0 {
		return standard
	}
	if v < 0 || v > most {
		return most
	}
	return v
}

// countOrNone is limit v with its default for zero; negative is none.
func countOrNone(v, standard int64) int64 {
	if v == 0 {
		return standard
	}
	return max(v, 0)
}

func (c *Config) maxHead() int    { return bounded(c.MaxHeadBytes, 64<<10, ceiling) }
func (c *Config) maxTarget() int  { return bounded(c.MaxTargetBytes, 16<<10, ceiling) }
func (c *Config) maxFields() int  { return bounded(c.MaxFields, 100, 1<<16-2) }
func (c *Config) maxTrailer() int { return bounded(c.MaxTrailerBytes, 8<<10, ceiling) }
func (c *Config) maxDrain() int64 { return countOrNone(c.MaxDrainBytes, 64<<10) }
func (c *Config) maxChunkExt() int64 {
	return min(countOrNone(int64(c.MaxChunkExtensionBytes), 256), ceiling)
}
func (c *Config) maxBodyExt() int64 {
	return min(countOrNone(int64(c.MaxBodyExtensionBytes), 16<<10), ceiling)
}
func (c *Config) bodyFits(n int64) bool { return c.MaxBodyBytes < 0 || n <= c.maxBody() }

func (c *Config) maxBody() int64 {
	if c.MaxBodyBytes == 0 {
		return 1 << 30
	}
	return c.MaxBodyBytes
}

// maxRequestLine is the longest request line, CRLF included, whose target is
// within its limit: anything longer is 414 before its end has been seen.
func (c *Config) maxRequestLine() int {
	return min(maxMethodBytes+1+c.maxTarget()+len(" HTTP/1.1\r\n"), c.maxHead())
}
