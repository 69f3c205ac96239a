// Command soak attacks the library over the network and proves that it keeps its promise.
// See README.md.
package main
