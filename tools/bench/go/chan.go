// SPDX-License-Identifier: MIT

package main

import (
	"sync"
	"sync/atomic"
)

func pairs(b *bench, pairs, n int) error {
	var wg sync.WaitGroup
	wg.Add(2 * pairs)
	t0 := now()
	for i := 0; i < pairs; i++ {
		ping, pong := make(chan uint64), make(chan uint64)
		go func() {
			for v := range ping {
				pong <- v
			}
			wg.Done()
		}()
		go func() {
			for i := 0; i < n; i++ {
				ping <- uint64(i)
				<-pong
			}
			close(ping)
			wg.Done()
		}()
	}
	wg.Wait()
	b.perOp(t0, pairs*n)
	return nil
}

func chanpp(b *bench) error    { return pairs(b, 1, b.arg[0]) }
func pingpairs(b *bench) error { return pairs(b, b.arg[0], b.arg[1]) }

func prodcons(b *bench) error {
	producers, consumers := b.arg[0], b.arg[1]
	each := b.arg[2] / producers
	c := make(chan uint64, 128)
	var got int64
	var pwg, cwg sync.WaitGroup
	pwg.Add(producers)
	cwg.Add(consumers)
	t0 := now()
	for i := 0; i < consumers; i++ {
		go func() {
			n := 0
			for range c {
				n++
			}
			atomic.AddInt64(&got, int64(n))
			cwg.Done()
		}()
	}
	for i := 0; i < producers; i++ {
		go func() {
			for i := 0; i < each; i++ {
				c <- uint64(i)
			}
			pwg.Done()
		}()
	}
	pwg.Wait()
	close(c)
	cwg.Wait()
	b.perOp(t0, each*producers)
	if got != int64(each*producers) {
		return errWrong
	}
	return nil
}

func select4(b *bench) error {
	var c [4]chan uint64
	for i := range c {
		c[i] = make(chan uint64)
	}
	n := b.arg[0]
	go func() {
		for i := 0; i < n; i++ {
			c[i%4] <- uint64(i)
		}
	}()
	var v, sum uint64
	c0, c1, c2, c3 := c[0], c[1], c[2], c[3]
	t0 := now()
	for i := 0; i < n; i++ {
		select {
		case v = <-c0:
		case v = <-c1:
		case v = <-c2:
		case v = <-c3:
		}
		sum += v
	}
	b.perOp(t0, n)
	if sum != uint64(n)*uint64(n-1)/2 {
		return errWrong
	}
	return nil
}

func selectdef(b *bench) error {
	c := make(chan uint64)
	t0 := now()
	for i := 0; i < b.arg[0]; i++ {
		select {
		case <-c:
			return errWrong
		default:
		}
	}
	b.perOp(t0, b.arg[0])
	return nil
}

func mutex(b *bench) error {
	var m sync.Mutex
	var wg sync.WaitGroup
	tasks, each, sum := b.arg[0], b.arg[1], 0
	wg.Add(tasks)
	t0 := now()
	for i := 0; i < tasks; i++ {
		go func() {
			for i := 0; i < each; i++ {
				m.Lock()
				sum++
				m.Unlock()
			}
			wg.Done()
		}()
	}
	wg.Wait()
	b.perOp(t0, tasks*each)
	if sum != tasks*each {
		return errWrong
	}
	return nil
}
