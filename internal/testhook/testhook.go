// Package testhook is how the test kit, package bgtest, steps in before a task starts:
// without an exported name in package bgtasks that no program should use.
package testhook

import "context"

// A Func is called when a task is about to start: before it is reported as started and
// before its time counts. The task does not start until it has returned, and then what it
// returns runs in the place of task, in every attempt. ctx is the task's context; when that
// ends a shutdown has given the task up, and Func must return.
type Func = func(ctx context.Context, task func(context.Context) error) func(context.Context) error

// Install has runner, a *bgtasks.Runner that has not had a request yet, call hook. Package
// bgtasks sets it.
var Install func(runner any, hook Func)
