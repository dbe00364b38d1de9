package opaque_test

import (
	"errors"
	"fmt"

	"github.com/sysblocks/sysblocks/idgen"
	"github.com/sysblocks/sysblocks/idgen/opaque"
)

func ExampleNew() {
	key := []byte("32 bytes from your secret store.")
	codec, err := opaque.New(key, opaque.Options{Name: "order", CheckBits: 24})
	if err != nil {
		fmt.Println(err)
		return
	}
	for id := idgen.ID(1); id <= 3; id++ {
		s, err := codec.Encode(id)
		if err != nil {
			fmt.Println(err)
			return
		}
		back, err := codec.Decode(s)
		fmt.Println(s, back, err)
	}
	_, err = codec.Decode("111111111111111")
	fmt.Println(errors.Is(err, opaque.ErrForged))
	// Output:
	// UrLtsPVRtyNgcMG 1 <nil>
	// XvFicjwR9myvphr 2 <nil>
	// U48faqgYwAcv13s 3 <nil>
	// true
}
