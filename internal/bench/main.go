// Command bench measures what this library costs, side by side with what one would write
// instead, and says which of the project's goals are met. It prints one table.
//
// Figures of different rows are not to be compared with each other, nor with those of
// another run: the machine changes. What holds is the comparison within a row, whose two
// sides are measured in turn, round by round.
package main

import (
	"flag"
	"fmt"
	"os"
	"regexp"
	"runtime"
	"strings"
)

// heap stands in for what else a program keeps. Without it the garbage collector would run
// after every 4 MB, some hundred times a second, which no service sees.
var heap = make([]byte, 16<<20)

func main() {
	if kind := os.Getenv(serverEnv); kind != "" {
		must(serve(kind))
	}
	defer runtime.KeepAlive(heap)
	var b bench
	var only string
	flag.BoolVar(&b.short, "short", false, "a little of everything, to see that it works; the figures mean nothing")
	flag.IntVar(&b.rounds, "rounds", 20, "how often each row is measured")
	flag.StringVar(&only, "run", "", "only rows that match this regular expression")
	busy := flag.Bool("cpu", false, "take CPU time for time: for a machine that has other things to do")
	flag.Parse()
	if *busy {
		elapsed = cpu
	}
	if b.short {
		b.rounds = 1
	}
	match := regexp.MustCompile(only)
	t := table{os.Stdout}
	fmt.Printf("%s %s/%s, %d cores, %d rounds: medians, and the spread of the comparison\n",
		runtime.Version(), runtime.GOOS, runtime.GOARCH, runtime.GOMAXPROCS(0), b.rounds)
	if !b.short {
		t.head()
	}
	var missed []string
	for _, r := range rows() {
		if !match.MatchString(r.what + ", " + r.baseline) {
			continue
		}
		res := b.run(r)
		if b.short {
			fmt.Println("works:", r.what)
			continue
		}
		t.line(r, res)
		if !r.met(res) {
			missed = append(missed, r.what)
		}
	}
	switch {
	case b.short:
	case len(missed) > 0:
		fmt.Println("goals not met:", strings.Join(missed, "; "))
	default:
		fmt.Println("all goals met")
	}
}

// rows are all that is measured. To add one, see requests.go.
func rows() []row {
	var all []row
	for _, some := range [][]row{requestRows(), leastRows(), inspectorRows(), drainRows(), servedRows(), latencyRows(), memoryRows(), busyRows(), durableRows()} {
		all = append(all, some...)
	}
	return all
}
