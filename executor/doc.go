// Package executor runs work that blocks or computes beside event loops, so that
// it never stalls a connection: named classes of workers, each with a bounded
// queue in front. It is what `loop.run_in_executor` is for asyncio, made for a
// server.
//
//	e, err := executor.New(executor.Config{})
//	cpu := e.Class(executor.CPU)
//
//	// In an application in coroutine form: suspends, as `await` does.
//	picture, err := executor.Run(ctx, cpu, func(ctx context.Context) ([]byte, error) {
//		return resize(ctx, upload)
//	}, executor.Job{Client: user, Cost: int64(len(upload))})
//
//	// In event form: the result is a call on the connection's loop.
//	future, err := cpu.Submit(ctx, executor.Job{Run: work})
//	future.Notify(exchange, func(value any, err error) { ... }, nil)
//
// # Why there are classes
//
// Work that waits and work that computes need opposite things. [Blocking] has many
// goroutines, since each mostly sleeps. [CPU] has as many workers as there are
// processors, and each is a thread of its own at the lowest priority (nice 19),
// while all other threads of the program get the shortest time slice (0.1 ms; both on
// Linux only, the slice from 6.12 on). When it is first used, GOMAXPROCS is raised by
// their number: a loop that wakes up then finds a free P, and the kernel takes the
// processor from a worker for it almost at once. With plain goroutines the loop would
// queue behind their time slices of 10 ms. The stall workload of cmd/galebench
// measures both; the README has its figures.
// [Executor.Shutdown] takes GOMAXPROCS back; if that is the runtime's default, it
// follows changes of the machine again, which it does not in between.
//
// Priority decides who runs, but a CPU quota (a container's limit) is spent by all
// threads alike: once it is used up the whole process stands still to the end of
// the period, commonly 100 ms. So by default a CPU class has fewer workers than
// the quota has processors: it leaves a quarter of the quota, and at least half a
// processor. Below a quota of one and a half processors even one worker does not;
// there heavy work belongs into a process with a quota of its own.
//
// The garbage collector is everybody's: jobs that allocate much, as pictures do,
// make it run often, and it stops all threads for a moment each time, those of low
// priority included, which first have to run to be stopped. A server that runs such
// jobs does well to give it room: GOGC=400, or debug.SetGCPercent, and a ballast,
// which is a []byte of some 16 MiB in a variable, never touched: it takes no memory,
// and has a small heap grow to 80 MiB before it is collected. GOMEMLIMIT is the bound.
//
// A class of one's own is a bulkhead: what fills it up leaves the others alone.
//
// # What happens to a job
//
// [Class.Submit] never blocks. It accepts the job or says why not, with a
// [SaturatedError] that knows its HTTP status, its WebSocket close code, and when
// to come back. A job that was accepted
//
//   - waits its turn: bands of [Priority] are strict; inside a band clients
//     ([Job.Client]) take turns by deficit round robin, so that one client's
//     thousand jobs do not hold up another's one; inside a client it is first come,
//     first served, until the queue stands.
//   - leaves the queue at once when its context is done, as a connection's is when
//     the peer has gone, at its [Job.Deadline], or by [Future.Cancel]. If it runs,
//     its own context is cancelled. Go cannot stop a function: one that does not
//     look at its context holds its worker to its end, and what it returns is
//     dropped. Work that must be stopped belongs into a process.
//   - is dropped when it has waited for MaxQueueTime, or when the queue stands (see
//     [ClassConfig].TargetDelay) and it waits for too long: in an overload the jobs
//     that run are young ones, whose clients still wait.
//   - shares its run with jobs of the same [Job.Key].
//   - tells its progress with [Report], in a stream that is bounded by replacing
//     (the default) or by blocking the job ([Job.Reports]).
//   - ends with a value, an error, or a [PanicError] with the stack.
//
// A job may submit jobs and wait for them. If it would wait for ever, since all
// workers of a class are held by jobs that wait like it, it gets [ErrDeadlock]. It
// is noticed where a job waits by a Future's methods or [Run] with the context of
// the job; waits on channels of one's own are not seen.
//
// # For those who come from Python
//
//	asyncio, concurrent.futures                 gale
//	------------------------------------------  ------------------------------------------
//	ThreadPoolExecutor(max_workers=n)           a class with Workers: n; its queue is bounded
//	ProcessPoolExecutor                         a class whose jobs call a process pool
//	await loop.run_in_executor(None, f, x)      Run(ctx, e.Class(Blocking), f) in an Application
//	await asyncio.to_thread(f)                  the same; the context's values go with it
//	executor.submit(f)                          Class.Submit, which may refuse
//	future.result(timeout)                      Future.Wait(ctx), or Future.Result
//	future.add_done_callback(cb)                Future.Notify(exchange, cb, nil), on the loop
//	future.cancel(): not once it runs           Future.Cancel: frees the queue, signals what runs
//	task.cancel() while awaiting                the context is done: the same
//	asyncio.wait_for(..., timeout)              Job.Deadline
//	asyncio.shield(...)                         Submit with context.WithoutCancel(ctx)
//	executor.map(f, xs, buffersize=n)           a Submit each; the queue is the buffer
//	executor.shutdown(wait=True)                Executor.Shutdown(ctx)
//	executor.shutdown(cancel_futures=True)      Executor.Close(ctx)
//	shutdown_default_executor(timeout)          Executor.Shutdown with a deadline
//	anyio.CapacityLimiter(n)                    a class with Workers: n, or RunBytes by weight
//	BrokenProcessPool                           a failed job fails alone
//
// # What this package is not
//
// It knows nothing of connections: a result goes to a [Poster]. It isolates
// nothing: a job that corrupts memory or never ends does so in this process.
//
// # Concurrency
//
// Everything may be used from everywhere; Submit, Cancel, Notify and Position do
// not block, Result and Done are not for loops. One lock per class guards its
// queue, its tasks and their futures; contexts are asked under it, but no function
// of a job or a loop is called. There is no goroutine for a job that waits: workers
// are tasks of a pool (github.com/alitto/pond) that run the best waiting job, one
// timer per class watches for expiry, and each context has one function however
// many jobs it has.
//
// # Limits
//
// Jobs and bytes that wait and run, jobs per client, futures that join a job of
// others, time in the queue, reports that wait: all are bounded, each by a field of
// [ClassConfig] or [Job] or by what is said there.
//
// # Terminology
//
// An executor is a set of classes. A class is a named pool of workers with its
// queue. A job is what is submitted, a future its result. A class is saturated when
// it refuses; its queue stands when it is never short. A band is the jobs of one
// priority. A job is abandoned when it runs and nobody waits for it any more.
//
// # Sources
//
//   - CoDel: RFC 8289; its use for requests, with the newest first: B. Maurer, Fail
//     at Scale, ACM Queue 13(8), 2015
//   - Turns among clients: RFC 8290 (FQ-CoDel), section 4
//   - concurrent.futures: https://docs.python.org/3/library/concurrent.futures.html
package executor
