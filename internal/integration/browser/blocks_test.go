package browser_test

import (
	"fmt"

	"github.com/stretchr/testify/require"
)

func cachePage(p *tab) {
	p.open("/cache?seed=3")
	const under = `["adaptive", "lru", "lfu", "fifo", "sieve"].every((policy) => f("ratio-" + policy) > 0 && f("ratio-" + policy) <= f("ratio-optimum"))`
	p.until(under + ` && f("ratio-adaptive") > f("ratio-lru")`) // scans
	step := p.fact("step")
	p.press("replay")
	p.until(fmt.Sprintf(`f("step") === %v`, step+200))
	p.choose("workload", "popular")
	p.until(under)
	p.choose("workload", "loop")
	p.slide("capacity", 0)
	p.until(`f("ratio-lru") === 0 && f("ratio-optimum") > 0 && f("ratio-adaptive") > 0`)
}

func bloomPage(p *tab) {
	p.open("/bloom?seed=3")
	p.press("thousand")
	p.until(`f("added") >= 1000 && f("false-negatives") === 0 && f("low") <= f("measured") && f("measured") <= f("high")`)
	full := p.fact("fill")
	p.enter("add", "grace hopper")
	p.press("add")
	p.until(`f("added") >= 1001 && f("false-negatives") === 0`)
	require.GreaterOrEqual(p.t, p.fact("fill"), full)
	bytes := p.fact("bytes")
	p.choose("rate", "0.1")
	p.until(fmt.Sprintf(`f("bytes") > %v && f("false-negatives") === 0 && f("low") <= f("measured") && f("measured") <= f("high") && f("measured") < 0.01`, bytes))
}

func idsPage(p *tab) {
	p.open("/ids?seed=3")
	p.press("issue")
	p.until(`f("issued") >= 10000 && f("duplicates") === 0 && f("out-of-order") === 0 && f("equal") === f("issued")`)
	p.press("same")
	p.until(`f("duplicates") === 0`)
	p.press("back")
	p.until(`document.querySelector('output[data-fact="error"]').textContent.startsWith("idgen: ") && f("duplicates") === 0 && f("out-of-order") === 0`)
	p.choose("restart", "ahead")
	p.press("back")
	p.until(`f("duplicates") === 0 && f("out-of-order") === 0`)
	p.enter("decode", "what is this?")
	p.press("decode")
	p.until(`document.querySelector('#error').textContent !== ""`)
	p.forgive("400")
}

func pagingPage(p *tab) {
	p.open("/paging?seed=3")
	p.choose("inserts", "20")
	p.press("walk")
	p.until(`f("offset-duplicates") > 0 && f("keyset-duplicates") === 0 && f("keyset-missed") === 0`)
	p.press("again")
	p.choose("inserts", "0")
	p.press("next")
	p.until(`f("rows-keyset") === f("page") && f("rows-offset") === f("offset") + f("page")`)
	p.press("edit")
	p.until(`f("status") === 400 && document.querySelector('output[data-fact="error"]').dataset.value.startsWith("token")`)
}
