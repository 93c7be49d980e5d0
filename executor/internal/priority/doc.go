// Package priority makes room for event loops beside threads that compute. Two
// things are needed on Linux:
//
//   - A high nice value gives the threads what others leave. It decides who gets
//     how much, and not how soon.
//   - A short slice gives it up soon. A thread that runs is not preempted by one
//     that wakes before it has used its slice, whatever their nice values, and a
//     slice is 3 ms by default: https://docs.kernel.org/scheduler/sched-eevdf.html.
//     A thread can ask for another one since Linux 6.12 (sched_setattr(2)).
//
// Safe for concurrent use.
package priority
