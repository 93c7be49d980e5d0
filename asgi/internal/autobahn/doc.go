// Package autobahn has the cases of the Autobahn test suite for WebSocket
// servers, by their numbers: what its fuzzing client sends, and what it must get
// back from an echo server for the verdict OK. NON-STRICT, which the suite
// tolerates, is no outcome of any case here.
//
// It is data, with the little of a client that is needed to send and to read it;
// it opens no connection. The same cases are run on the protocol machine and on
// a server over TCP.
//
// Of the suite's groups there are 1 to 7, 9 and 10; 12 and 13 are about
// compression. Cases that differ only in how the octets are chopped on the wire
// stand once, since whoever runs them cuts every case in several ways; such a
// case is named for all ("5.3-5.5").
//
// # Specifications
//
//   - The suite: https://github.com/crossbario/autobahn-testsuite
//   - RFC 6455, The WebSocket Protocol: https://www.rfc-editor.org/rfc/rfc6455
package autobahn
