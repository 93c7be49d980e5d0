// Package executor runs blocking and CPU-heavy work beside event loops: bounded
// pools of workers with a bounded queue in front.
package executor
