// Package cgi runs a program for each request, by the Common Gateway Interface: in any
// language, as an executable file.
//
//	programs, err := cgi.New(cgi.Config{Dir: "./cgi-bin", Class: e.Class("cgi")})
//	defer programs.Close()
//	mux.HTTP("/cgi-bin/*", programs)
//
//	// One program for everything below a path:
//	git, err := cgi.New(cgi.Config{
//		Script: "/usr/lib/git-core/git-http-backend",
//		Env:    []string{"GIT_PROJECT_ROOT=/srv/git", "GIT_HTTP_EXPORT_ALL="},
//		Class:  e.Class("git"),
//	})
//	mux.HTTP("/git/*", git)
//
// # The way of a request
//
//   - The path below the mount is decoded once, and its dot segments are resolved. Its
//     first segment that is a file below the folder is the program; the rest is
//     PATH_INFO. See below for what is run.
//   - The body is kept, in memory and from SpoolMemoryBytes on in a file without a name.
//     So its length is known if it came in chunks, and a slow client holds no process. It
//     is passed as it came: one with a Content-Encoding is the program's to decode, which
//     git does.
//   - A worker of the class starts the program, with the folder of its file as its working
//     directory, no arguments, and an environment made for it. What the class refuses is
//     answered with 503 and Retry-After.
//   - What it writes is sent while it is being written. A client that reads slowly makes
//     the program wait, and it holds its worker meanwhile, up to Timeout: a class for
//     large responses to slow clients has many workers. At most some 200 KiB of a
//     response are in memory. What is written at once with the end of the program is sent
//     whole, with its length.
//   - When the program has ended it is reaped, and what is left of its process group is
//     killed.
//
// A program that writes a malformed header is answered for with 502, one that is late
// with 504; the reason is in the server's log. If the response has begun it is cut
// short, visibly. The program's standard error goes to Logger, line by line.
//
// # What is run
//
// A regular file below Dir that is executable, that not everybody may write to, and that no segment
// beginning with a dot leads to. Symbolic links are followed as long as they do not lead
// out of the folder. A path with an encoded slash or NUL, or that leads above the mount,
// is answered with 404. A file that is not run is answered with 403, never with its text.
// Whoever may write to the folder may run programs: no check protects from that.
//
// # The environment
//
// All variables of RFC 3875 section 4.1, and DOCUMENT_ROOT, HTTPS, REDIRECT_STATUS,
// REMOTE_PORT, REQUEST_SCHEME, REQUEST_URI, SCRIPT_FILENAME and SERVER_ADDR, as php-cgi
// and others expect. Of this process's environment a program gets what PassEnv names.
//
// Fields of the request become variables HTTP_*, those of one name merged. Left out are
// Proxy, which programs would take for their proxy; names with other characters than
// letters, digits and hyphens, since X_Y would pass for X-Y; fields of the connection;
// Proxy-Authorization; and Authorization unless PassAuthorization is set.
// REMOTE_USER is what Config.User says.
//
// # Responses
//
// A document, a local redirect, a client redirect, and one with a document, as in RFC
// 3875 section 6.2. Status is 200 to 599. A local redirect is answered by
// Config.Redirect as a GET, at most ten times. A Location that is a path but comes with
// other fields goes to the client. Content-Length is held to: what is beyond is cut and
// logged, less cuts the response short. Fields of the connection are dropped, as are
// X-CGI-*. To HEAD and with 204 and 304 the body is read and not sent.
//
// A program whose name begins with nph- writes a whole HTTP response (section 5). Its
// status and fields are read and sent like those of others, since the connection is the
// server's; the connection is closed after it.
//
// # Processes
//
// A program is the leader of a process group. The group gets SIGTERM when a deadline has
// passed, the client has gone, its response is refused or the handler is closed, and
// SIGKILL KillGrace later. A process that has left the group (setsid) lives on, and its
// business is its own; it cannot hold the response open for longer than KillGrace after
// the program's end. If this process is killed by force, a program runs on until
// it writes to its closed output.
//
// A client that only ends its stream has gone, or waits for the response: see
// server.Config.HalfClose.
//
// No descriptor but the three standard ones is inherited: [New] marks what this process
// itself has inherited to be closed on execution. Limits are set before the
// program's first instruction: it is traced until then, for which set-user-ID bits of
// the program itself have no effect. The handler asks for no other privileges than this
// process has: a program can do what the server can.
//
// # What this package is not
//
// It is no FastCGI, and keeps no program running between requests. It authenticates
// nobody. It does not change users.
//
// # Concurrency
//
// A [Handler] is safe for concurrent use. A request is a coroutine on its loop, and a
// job on a worker while its program runs; the worker's thread waits in the kernel. The
// disk is read and written on workers only.
//
// # Limits
//
// Bodies, one and all together; header, body and standard error of a program; its
// environment; its time, and what it may use; redirects: each has a bound, which is a
// field of [Config] or said here. The number of programs is that of the class's workers;
// one client has at most ClientJobs of them.
//
// # Terminology
//
// A program, or script, is the executable file, and what runs of it. A run is one
// request's. The head or header is what a program writes before the first empty line. The
// mount is the RootPath of the scope.
//
// # Specifications
//
//   - The Common Gateway Interface 1.1: https://www.rfc-editor.org/rfc/rfc3875
//   - HTTP_PROXY: CVE-2016-5385, https://httpoxy.org
package cgi
