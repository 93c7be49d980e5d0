// Package priority makes room for event loops beside threads that compute. Two
// things are needed on Linux:
//
//   - A high nice value gives the threads what others leave. It decides who gets
//     how much, and not how soon.
//   - A short slice gets a thread the processor soon. One that wakes waits as long as
//     another one's slice is protected, whatever their nice values, unless its own is
//     shorter: https://docs.kernel.org/scheduler/sched-eevdf.html. It is 0.7 to
//     2.8 ms by default, by the number of processors, and a thread can ask for another one since Linux 6.12
//     (sched_setattr(2)). So threads that compute ask for a longer one than all others.
//
// Safe for concurrent use.
package priority
