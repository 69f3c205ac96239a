package chimw

// MethodSets is how many sets of optional methods there are; each is a number below it.
const MethodSets = len(withMethods)

// MethodsOfWriterWith returns the set that a writer made for that set has.
func MethodsOfWriterWith(set int) int { return int(methodsOf(withMethods[set](new(writer)))) }

// ShutDownTasks is the part of Serve that comes after the server, until a deadline.
var ShutDownTasks = shutDownTasks

// WithoutPositions has it that a file's position does not tell how far sendfile has come, as on other systems than Linux.
func WithoutPositions() (restore func()) {
	was := positionTells
	positionTells = false
	return func() { positionTells = was }
}
