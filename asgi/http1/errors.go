package http1

import "strconv"

// Error says that the peer broke a rule or passed a limit. Status is the
// response it deserves: 400, 413, 414, 417, 431, 501 or 505. Reason names the
// rule and its clause and holds no octet of the peer. After an Error the
// connection carries no further request.
//
// Safe for concurrent use: immutable.
type Error struct {
	Status int
	Reason string
}

func (e *Error) Error() string { return "http1: " + e.Reason }

// HTTPStatus returns Status.
func (e *Error) HTTPStatus() int { return e.Status }

// ResponseError says that the application's response cannot be sent as it is:
// a call out of order, an illegal header, a body that does not match its
// Content-Length. Nothing has been appended and the machine is as before.
// Field is the header concerned, if any.
//
// Safe for concurrent use: immutable.
type ResponseError struct {
	Reason string
	Field  string
}

func (e *ResponseError) Error() string {
	if e.Field == "" {
		return "http1: " + e.Reason
	}
	return "http1: " + e.Reason + ": header " + strconv.Quote(e.Field)
}

// The rules of a head, in the order they are checked.
var (
	errBareLF       = &Error{400, "line ends in a bare LF (RFC 9112 §2.2)"}
	errEmptyLine    = &Error{400, "more than one empty line before the request line (RFC 9112 §2.2)"}
	errLineLimit    = &Error{414, "request line is too long (RFC 9112 §3)"}
	errHeadLimit    = &Error{431, "head is too long (RFC 6585 §5)"}
	errFieldLimit   = &Error{431, "too many field lines (RFC 6585 §5)"}
	errMethod       = &Error{400, "method is not a token (RFC 9110 §9.1)"}
	errMethodLimit  = &Error{501, "method is too long (RFC 9112 §3)"}
	errRequestLine  = &Error{400, "request line is not method SP target SP version (RFC 9112 §3)"}
	errVersion      = &Error{400, "malformed HTTP version (RFC 9112 §2.3)"}
	errVersionMajor = &Error{505, "HTTP version is not supported (RFC 9110 §15.6.6)"}
	errTarget       = &Error{400, "illegal octet in the request target (RFC 9112 §3.2)"}
	errTargetForm   = &Error{400, "request target is in no form its method allows (RFC 9112 §3.2)"}
	errTargetLimit  = &Error{414, "request target is too long (RFC 9112 §3)"}
	errEscape       = &Error{400, "malformed percent-encoding in the path (RFC 3986 §2.1)"}
	errAuthority    = &Error{400, "invalid authority in the request target (RFC 9112 §3.2)"}
	errFold         = &Error{400, "field line begins with whitespace (RFC 9112 §5.2)"}
	errNoColon      = &Error{400, "field line has no colon (RFC 9112 §5)"}
	errFieldName    = &Error{400, "field name is not a token (RFC 9110 §5.1)"}
	errSpaceColon   = &Error{400, "whitespace before the colon (RFC 9112 §5.1)"}
	errFieldValue   = &Error{400, "control character in a field value (RFC 9110 §5.5)"}
	errNoHost       = &Error{400, "Host is missing (RFC 9112 §3.2)"}
	errManyHosts    = &Error{400, "more than one Host (RFC 9112 §3.2)"}
	errHost         = &Error{400, "invalid Host (RFC 9112 §3.2)"}
	errBothLengths  = &Error{400, "both Transfer-Encoding and Content-Length (RFC 9112 §6.1)"}
	errManyLengths  = &Error{400, "more than one Content-Length (RFC 9112 §6.3)"}
	errLength       = &Error{400, "invalid Content-Length (RFC 9112 §6.3)"}
	errOldCoding    = &Error{400, "Transfer-Encoding in an HTTP/1.0 request (RFC 9112 §6.1)"}
	errFinalCoding  = &Error{400, "chunked is not the final transfer coding, once (RFC 9112 §6.3)"}
	errCoding       = &Error{501, "unknown transfer coding (RFC 9112 §6.1)"}
	errExpectation  = &Error{417, "unknown expectation (RFC 9110 §10.1.1)"}
	errBodyLimit    = &Error{413, "body is too large (RFC 9110 §15.5.14)"}
)

// The rules of a body and of the end of the stream.
var (
	errChunkLine    = &Error{400, "malformed chunk size or extension (RFC 9112 §7.1)"}
	errChunkSize    = &Error{400, "chunk size is too large (RFC 9112 §7.1)"}
	errChunkEnd     = &Error{400, "chunk data is not followed by CRLF (RFC 9112 §7.1)"}
	errExtLimit     = &Error{400, "chunk extensions are too long (RFC 9112 §7.1.1)"}
	errTrailerLimit = &Error{431, "trailer section is too long (RFC 9112 §7.1.2)"}
	errTrailerField = &Error{400, "field is not allowed in a trailer section (RFC 9110 §6.5.1)"}
	errHeadEOF      = &Error{400, "connection ended inside a head (RFC 9112 §8)"}
	errBodyEOF      = &Error{400, "connection ended inside a body (RFC 9112 §8)"}
)
