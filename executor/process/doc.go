// Package process runs jobs in worker processes: work that may crash, leak, never
// end, or is written in another language. A job that kills its process costs
// itself and nothing else; a job that does not stop at its deadline is killed.
//
//	func init() {
//		process.Register("resize", func(ctx context.Context, in Picture) (Picture, error) { ... })
//	}
//
//	func main() {
//		process.Main() // in a worker this does not return
//		pool, err := process.New(process.Config{})
//		...
//		small, err := process.Call[Picture, Picture](ctx, pool, "resize", big)
//	}
//
// The workers are this very program, started again, or any command that speaks
// the worker protocol (PROTOCOL.md), such as a Python script with [PythonWorker].
//
// # What it is not
//
// Not a queue: a call waits for a worker, without a bound on how many wait and
// without priorities. Where many may come, put a class of package executor in
// front, with as many workers as the pool. Not a sandbox: a worker has the rights
// of this process.
//
// # A worker's life
//
//  1. It is started when a job needs one and there are fewer than
//     Config.Workers. It has its own process group, niceness and limits, and of
//     this process only its stdin, stdout and stderr, and two files in memory for
//     payloads; the kernel kills it if this process ends.
//  2. It says hello: protocol version, names of its jobs, digest of their types.
//  3. It runs jobs, one at a time. Meanwhile it answers heartbeats.
//  4. It ends, with all of its process group: with the pool, after
//     Config.MaxJobs, when it holds more memory than Config.MaxResidentBytes after
//     a job, at a job's deadline, or because it died.
//
// A worker that dies is replaced when the next job needs it, after a pause that
// grows if workers die one after the other. A job that costs several workers with
// the same payload goes into quarantine.
//
// # Coming from Python
//
//	concurrent.futures.ProcessPoolExecutor      process
//
//	ProcessPoolExecutor(max_workers=4)          New(Config{Workers: 4})
//	mp_context (fork, spawn, forkserver)        always a new program, as with spawn: nothing is shared
//	if __name__ == "__main__":                  Main(), first in main
//	initializer=f                               Setup(f)
//	max_tasks_per_child=100                     Config.MaxJobs, spread by a tenth
//	submit(f, x).result()                       Call(ctx, pool, "f", x)
//	f must be picklable                         f is registered by name; x travels as JSON or bytes
//	result(timeout=5): the job goes on          a ctx with a deadline: the job is told, then killed
//	Future.cancel(): not once it runs           cancel ctx, at any time
//	BrokenProcessPool: every job fails          *CrashError: the job that ran there fails
//	an exception of the job                     *RemoteError
//	shutdown(wait=True)                         Close(ctx)
//	shutdown(cancel_futures=True)               Close does: jobs that wait get ErrClosed
//	kill_workers()                              Close with a ctx that is over
//	-                                           limits of memory, processor time and descriptors, heartbeats, quarantine
//
// # Limits
//
// Everything has a bound in [Config]. Per worker the pool holds six descriptors,
// three goroutines and a thread, and at most 1 MiB of each memory file between
// jobs. Descriptors that this process opened without close-on-exec reach a worker
// that is another program; Go sets it everywhere, and a worker of this package
// closes them.
//
// Elsewhere than on Linux there are no limits of memory, processor time and
// descriptors, payloads go through pipes, and a worker learns from the end of its
// stdin that this process is gone. What a worker starts in another process group
// is its own business everywhere.
//
// # Terminology
//
// The pool belongs to the host, which hands out jobs; a worker is a process that
// runs them. A job is a registered function, or one run of it; its payload is
// its encoded input. To cancel is to say that the result is not wanted; to kill is
// to end the process group by SIGKILL.
package process
