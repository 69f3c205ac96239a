// What users of other systems ran into, and which test or example answers it here.
//
// From Starlette and FastAPI:
//
//	one task: the body arrives intact first: TestBodyArrivesIntactBeforeTheOnlyTaskEnds
//	many tasks: all run, in order: TestManyTasksRunInTheOrderInWhichTheyWereAdded
//	two concurrent requests: both bodies complete before either's task has to finish: TestConcurrentRequestsGetTheirBodiesBeforeEitherTaskEnds
//	a slow client: no task before the last send (starlette#3476): TestSlowClientHoldsTheTaskUntilTheLastSend, TestSlowSocketHoldsTheTaskUntilTheLastSend
//	the client closes right after the response, or before it (starlette#1438): TestClientClosesRightAfterTheResponse, TestClientClosesBeforeTheResponse
//	middleware ten deep, each adds a task that runs once (starlette#919): TestTenMiddlewareDeepEachAddsATaskThatRunsOnce
//	a failing task after a 204: the status stays, the error is seen (fastapi#2505): TestFailureAfterA204LeavesTheStatusAndIsSeenAsItIs
//	a streaming response, a file response: TestStreamedAndFileResponsesRunTheirTasks
//	a refused websocket: TestRefusedWebsocketStillRunsItsTasks
//	a dependency and the handler add to one list (fastapi#11215): TestMiddlewareFurtherInAndHandlerAddToOneList
//	a failed task does not skip the rest (starlette#3195): TestFailedTaskDoesNotSkipTheRest
//	the opposite is a setting: TestFailedTaskSkipsTheRestWhereThatIsSet
//	cleanup runs though the handler answers an error or fails (fastapi#13116): TestCleanupAddedBeforeAFailureRuns
//	an uploaded file is readable in the task (fastapi#10857): TestUploadStaysReadableUntilTheLastTaskHasEnded
//	the next request on the connection does not wait (starlette#919, #2093): TestNextRequestOnTheConnectionDoesNotWait
//	latency metrics leave out task time (otel-python-contrib#1684): TestRequestLatencyDoesNotIncludeTaskTime
//	a task has a span of its own (otel-python-contrib#4251): TestTaskHasASpanOfItsOwnAfterTheRequestsSpan
//	tests can wait for the tasks (TestClient): TestTestsCanWaitForTheTasks, Example_testing
//
// From Laravel's defer:
//
//	a task queued inside a task runs (laravel#61431): TestTaskQueuedInsideATaskRunsLast
//	a pending task can be taken back by name: TestPendingTaskIsTakenBackByName
//	a running one is not: TestRunningTaskIsNotTakenBack
//	restricting to successful responses works, and is not the default: TestTasksRunAfterEveryResponseUnlessRestrictedToSuccessfulOnes
//
// From Rack and Puma:
//
//	a callback in the middle raises: TestCallbackThatPanicsInTheMiddleStopsNoOther
//	one that raises on a keep-alive connection puts no byte on the wire (puma#2856): TestCallbackThatPanicsOnAKeepAliveConnectionPutsNoByteOnTheWire
//	callbacks get status and error of the response: TestCallbacksGetStatusAndFailureOfTheResponse, TestOutcomeOfEachResponse
//	what can't be called is refused when it is added: TestWhatCannotBeCalledIsRefusedWhenItIsAdded
//	temp files are removed on success and on failure: TestUploadStaysReadableUntilTheLastTaskHasEnded, TestUploadIsRemovedThoughItsTaskFails
//	temp files are removed where the list is empty: TestUploadIsRemovedWhereThereIsNoTask
//
// From Next.js after:
//
//	after success, an error, a redirect, not-found, an aborted stream: TestTasksRunHoweverTheResponseEnds
//	while the body streams nothing runs: TestNothingRunsWhileTheBodyStreams
//	all run even if several throw, and each error is reported: TestAllRunThoughSeveralFailAndEachFailureIsReported
//	it fails loudly, at the call, where it isn't supported: TestWithoutMiddlewareAddFailsLoudlyAtTheCall
//	values are those at the time of the call: TestValuesAreThoseAtTheTimeOfTheCall
//
// From ASP.NET Core, Spring and on-finished:
//
//	never twice, also on keep-alive and pipelined requests: TestNeverTwiceOnAKeptConnection, TestNeverTwiceForPipelinedRequests
//	shutdown waits, and resources are closed after it (spring-boot#20935): TestShutdownWaitsForTasksAndResourcesAreClosedAfterIt
//	a full queue is told at once and never blocks (spring-framework#33873): TestFullQueueIsToldAtOnceAndNeverBlocksTheHandler
//	a recycled request is never seen by the task (spring-framework#24184): TestRecycledRequestIsNeverSeenByATask
//	a list that keeps adding to itself meets a limit (laravel#58351): TestListThatKeepsAddingToItselfMeetsALimit, TestListThatGoesOnForeverEndsWithTheShutdown
//
// Beside chi's own middleware:
//
//	each of them and http.TimeoutHandler, inside and outside: TestBesideChisOwnMiddleware, TestBesideChisProfiler
//	a handler that outlives its timeout: TestHandlerThatOutlivesItsTimeoutStillHasItsTaskRun
//	httplog v3 and otelchi (in internal/compat): TestBesideHTTPLogAndOtelchi
//	on a subrouter, in a group, through With, through Mount: TestEveryPlaceForTheMiddleware
//	installed twice: TestInstalledTwiceWithOneRunnerThereIsOneList, TestInstalledWithTwoRunnersEachRunsItsOwn
//
// FastAPI's document, section by section:
//
//	add_task(func, *args, **kwargs): ExampleBackgroundTasks, TestValuesAreThoseAtTheTimeOfTheCall
//	tasks execute in the order they were added: TestManyTasksRunInTheOrderInWhichTheyWereAdded
//	async functions are awaited, sync functions don't block: Example_webhook, TestNextRequestOnTheConnectionDoesNotWait
//	exceptions are logged but don't affect the response: TestFailureAfterA204LeavesTheStatusAndIsSeenAsItIs, TestLogNamesTaskAndRouteOfAFailure
//	tasks run after the response is sent: TestSlowClientHoldsTheTaskUntilTheLastSend, ExampleAttach
//	basic background tasks: Example_basicTasks
//	async background tasks: Example_webhook, ExampleUploads
//	error handling: Example_errorHandling
//	complex workflows: Example_orderWorkflow
//	external services: Example_externalServices
//	database operations: Example_database
//	testing: Example_testing, TestTestsCanWaitForTheTasks
//	the process ends (nothing is said of it there): ExampleServe, TestRequestsUnderWayFinishAndThenTheirTasks
package chimw_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

var bhTestName = regexp.MustCompile(`\b(Test|Example)\w+`)

func TestTableOfBehavioursNamesTestsThatExist(t *testing.T) {
	declared := map[string]bool{}
	for _, pattern := range []string{"*_test.go", "../bgtasks/*_test.go", "../internal/compat/*_test.go"} {
		bhDeclared(t, pattern, declared)
	}
	file, err := parser.ParseFile(token.NewFileSet(), "behaviour_doc_test.go", nil, parser.ParseComments)
	require.NoError(t, err)
	rows := 0
	for line := range strings.Lines(file.Doc.Text()) {
		if !strings.HasPrefix(line, "\t") {
			continue
		}
		rows++
		_, answers, _ := strings.Cut(line, ": ")
		names := bhTestName.FindAllString(answers, -1)
		assert.NotEmpty(t, names, "nothing answers %q", line)
		for _, name := range names {
			assert.True(t, declared[name], "%s does not exist", name)
		}
	}
	assert.Greater(t, rows, 50)
}

// bhDeclared adds the names of the functions in the files.
func bhDeclared(t *testing.T, pattern string, to map[string]bool) {
	files, err := filepath.Glob(pattern)
	require.NoError(t, err)
	for _, name := range files {
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.SkipObjectResolution)
		require.NoError(t, err)
		for _, decl := range file.Decls {
			if fn, ok := decl.(*ast.FuncDecl); ok && fn.Recv == nil {
				to[fn.Name.Name] = true
			}
		}
	}
}
