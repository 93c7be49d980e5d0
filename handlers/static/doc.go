// Package static serves files: what a web server's static module does, as a handler of
// the asgi contract.
//
//	files, err := static.New(static.Config{Dir: "./site"})
//	mux.HTTP("/*", files)
//
//	//go:embed page
//	var page embed.FS
//	files, err := static.New(static.Config{FS: page})
//
// # What it does
//
//   - GET and HEAD of the files of a folder, or of a file system that is held in memory.
//     OPTIONS says what is allowed; for the rest, 405 says it.
//   - A folder is served by its index.html, and without one listed if
//     [Config].Listing is set, in HTML or, for a request that prefers
//     application/json, in JSON. A folder without its final slash is redirected to it.
//   - Conditions and ranges by RFC 9110, with strong entity tags: that of a file in
//     memory is of its content and the same on all servers; that of a larger one is of its
//     size, time and inode. A HEAD request with a Range gets the answer that GET would
//     get, as with other servers.
//   - Files beside a file whose names end in .zst, .br and .gz are its content codings.
//     Of those that a request accepts it gets the one of the highest weight, and of equal
//     ones the smallest. A request that accepts none gets the file as it is. A coding
//     whose time, in seconds, is before that of its file is not used: it is of an older
//     content.
//   - Content types go by the extension, and browsers are told not to guess.
//   - Cache-Control by patterns, a page of one's own for 404, a page for what does not
//     exist, Content-Disposition on request: see [Config].
//
// # Where bytes are, and who waits
//
// Small files are held in memory, larger ones open, and the server sends them from
// there (asgi.HTTPResponseZeroCopySend). A request for what is known is answered on the
// loop at once. What is not known, or not known to be still right, is looked up on
// [Config].Blocking: no loop ever waits for a disk. All who ask for one path meanwhile
// wait for the same look. When the class has no room, the answer is 503 with a
// Retry-After, or 429 if it is this client that has too many.
//
// What is known is at most [Config].CheckInterval old. A file that is replaced by
// another is served whole, old or new. One that is overwritten in its place may change
// while it is sent, as with every server; one that is cut then ends in a visible
// truncation.
//
// # What a path can reach
//
// The path of the scope is decoded, once, by the server; here "." and ".." and repeated
// slashes are resolved as in RFC 3986, and what is left is opened below the folder with
// [os.Root], or on Linux with openat2, which holds to the same rules in one call: neither
// a path nor a symbolic link leads out of it, whenever that is made. Links inside of it
// are followed, unless they are absolute. Only regular files are served, and no name that
// begins with a dot; nor is one of a path of more than 4,096 bytes, or with a NUL.
// /.well-known has a name that begins with a dot, too: a handler of its own with
// DotFiles serves it, mounted there.
//
// # What this package is not
//
// It compresses nothing, and writes no file. It is no proxy, and has no access control
// but what stands in front of it.
//
// # Concurrency
//
// A [Handler] is safe for concurrent use: its requests may come from any number of
// loops. One lock guards what is known; nothing that blocks is done under it.
//
// # Limits
//
// Files open and in memory, paths known not to exist, names in a listing, ranges of a
// request, requests that wait for the disk: each has a bound, which is a field of
// [Config] or of the executor's class. A response from a file in memory or open takes
// no memory for the file.
//
// # Terminology
//
// An entry is what is known about a path. A representation is one form of a file: as it
// is, or in a content coding. A validator is an entity tag or a time of last
// modification. A look is the work on the disk that makes an entry.
//
// # Specifications
//
//   - Conditions: https://www.rfc-editor.org/rfc/rfc9110#section-13
//   - Ranges: https://www.rfc-editor.org/rfc/rfc9110#section-14
//   - Accept-Encoding, Vary: https://www.rfc-editor.org/rfc/rfc9110#section-12.5
//   - Content-Disposition: https://www.rfc-editor.org/rfc/rfc6266
//   - immutable: https://www.rfc-editor.org/rfc/rfc8246
package static
