// Package handlers holds the parts an application is put together from: a
// router, constant and plain-text answers, and readers of request bodies. Whole
// applications are in its subfolders (handlers/static, handlers/hub, handlers/jobs).
//
// # What this package is not
//
// It is no web framework: no templates, sessions or parameter binding. It never
// touches a socket; everything here runs on any engine of the asgi contract.
//
// # Concurrency
//
// Handlers are built once, then serve exchanges on any number of loops. The
// helpers that take an [asgi.Exchange] are called where its methods are: on its
// loop.
//
// # Limits
//
// Nothing is buffered without a bound: [ReadBody] and [ReadAll] take the most
// bytes they may hold.
//
// # Specifications
//
//   - HTTP semantics: https://www.rfc-editor.org/rfc/rfc9110
//   - HTTP caching: https://www.rfc-editor.org/rfc/rfc9111
//   - ASGI: https://asgi.readthedocs.io/en/latest/specs/www.html
package handlers
