// Package subprocess starts processes that belong to this one, and sees them to their
// end: what pools of worker processes have in common. Package executor/process and
// handlers/python are such pools.
//
//   - [Starter] starts processes. Each leads a process group of its own. On Linux the
//     kernel kills it when this process ends.
//   - [Process] is killed with its whole group, and reaped. A group is never
//     signalled after its leader was reaped, for the number may be another's then.
//   - [Environ], [LimitFiles] and the like give a process what it is to have.
//   - [Capture] and [Lines] take what it writes.
//   - [Pause] says how long to wait before the next start.
//
// # What it is not
//
// It knows no protocol, keeps no pool and retries nothing. It is no sandbox.
//
// # Concurrency and limits
//
// A Starter has a goroutine with a thread of its own until Close. Nothing here has a
// queue; what a process writes is bounded by Capture and Lines.
//
// Elsewhere than on Linux a process has no limits, outlives this one unless it
// watches a descriptor, and is reaped the moment it ends: what is left of its group
// is killed right after that.
package subprocess
