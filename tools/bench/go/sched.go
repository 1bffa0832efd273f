// SPDX-License-Identifier: MIT

package main

import (
	"runtime"
	"sync"
	"sync/atomic"
	"time"
)

func yieldTasks(b *bench, tasks, rounds int) error {
	var started, ended, t0, t1 int64
	var wg sync.WaitGroup
	wg.Add(tasks)
	for i := 0; i < tasks; i++ {
		go func() {
			if atomic.AddInt64(&started, 1) == int64(tasks) {
				t0 = now()
			}
			for atomic.LoadInt64(&started) < int64(tasks) {
				runtime.Gosched()
			}
			for i := 0; i < rounds; i++ {
				runtime.Gosched()
			}
			if atomic.AddInt64(&ended, 1) == int64(tasks) {
				t1 = now()
			}
			wg.Done()
		}()
	}
	wg.Wait()
	b.value = float64(t1-t0) / (float64(tasks) * float64(rounds))
	return nil
}

func yield(b *bench) error     { return yieldTasks(b, 2, b.arg[0]/2) }
func yieldmany(b *bench) error { return yieldTasks(b, b.arg[0], b.arg[1]) }

func spawn(b *bench) error {
	var wg sync.WaitGroup
	before, t0 := rss(), now()
	wg.Add(b.arg[0])
	for i := 0; i < b.arg[0]; i++ {
		go wg.Done()
	}
	wg.Wait()
	b.perOp(t0, b.arg[0])
	b.add("rss_mb=%.1f", float64(maxRSS()-before)/1048576)
	return nil
}

func spawnjoin(b *bench) error {
	var wg sync.WaitGroup
	t0 := now()
	for i := 0; i < b.arg[0]; i++ {
		wg.Add(1)
		go wg.Done()
		wg.Wait()
	}
	b.perOp(t0, b.arg[0])
	return nil
}

func skynetNode(up chan uint64, num, size int) {
	if size == 1 {
		up <- uint64(num)
		return
	}
	c := make(chan uint64)
	var sum uint64
	for i := 0; i < 10; i++ {
		go skynetNode(c, num+i*(size/10), size/10)
	}
	for i := 0; i < 10; i++ {
		sum += <-c
	}
	up <- sum
}

func skynet(b *bench) error {
	size := 1
	for size*10 <= b.arg[0] {
		size *= 10
	}
	c := make(chan uint64)
	t0 := now()
	go skynetNode(c, 0, size)
	v := <-c
	b.value = float64(now()-t0) / 1e6
	b.add("leaves=%d rss_mb=%.1f", size, float64(maxRSS())/1048576)
	if v != uint64(size)*uint64(size-1)/2 {
		return errWrong
	}
	return nil
}

func fib(n int) int {
	if n < 2 {
		return n
	}
	var wg sync.WaitGroup
	var left int
	wg.Add(1)
	go func() {
		left = fib(n - 1)
		wg.Done()
	}()
	right := fib(n - 2)
	wg.Wait()
	return left + right
}

func fibonacci(b *bench) error {
	t0 := now()
	r := fib(b.arg[0])
	ns := now() - t0
	a, c := 0, 1
	for i := 0; i < b.arg[0]; i++ {
		a, c = c, a+c
	}
	b.value = float64(ns) / 1e6
	b.add("fork_ns=%.6g", float64(ns)/float64(c-1))
	if r != a {
		return errWrong
	}
	return nil
}

func park(b *bench) error {
	n := b.arg[0]
	gate := make(chan uint64)
	var parked int64
	var wg sync.WaitGroup
	wg.Add(n)
	before := rss()
	for i := 0; i < n; i++ {
		go func() {
			atomic.AddInt64(&parked, 1)
			<-gate
			wg.Done()
		}()
	}
	for atomic.LoadInt64(&parked) < int64(n) {
		runtime.Gosched()
	}
	time.Sleep(20 * time.Millisecond)
	b.value = float64(rss()-before) / float64(n)
	b.add("mappings=%d", mappings())
	t0 := now()
	close(gate)
	wg.Wait()
	b.add("release_ns=%.6g", float64(now()-t0)/float64(n))
	return nil
}
