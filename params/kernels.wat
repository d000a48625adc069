;; The loops over every parameter of every client, two float64 at a time (loaded two by two: V8 shuffles four slower) or four float32, and over every pixel of synthetic images. Compiled by
;; scripts/build-kernels.mjs; params/kernels.ts loads them. Each does what its twin in TypeScript does, operation for operation, and so gives
;; the same bits.
(module
  (import "vectors" "memory" (memory 0))

  ;; Sum of squares of the float32 from address $at to $end: the squares of sixteen elements are added to four sums in float32, and these to
  ;; accumulators in float64, sum i to accumulator i. The last few are squared and added in float64, to accumulator 0.
  (func (export "blockedSumOfSquares") (param $at i32) (param $end i32) (result f64)
    (local $a v128) (local $b v128) (local $c v128) (local $d v128) (local $low v128) (local $high v128) (local $one f64)
    (block $blocks_done
      (loop $blocks
        (br_if $blocks_done (i32.lt_u (i32.sub (local.get $end) (local.get $at)) (i32.const 64)))
        (local.set $a (v128.load (local.get $at)))
        (local.set $b (v128.load offset=16 (local.get $at)))
        (local.set $c (v128.load offset=32 (local.get $at)))
        (local.set $d (v128.load offset=48 (local.get $at)))
        (local.set $a
          (f32x4.add
            (f32x4.add (f32x4.mul (local.get $a) (local.get $a)) (f32x4.mul (local.get $c) (local.get $c)))
            (f32x4.add (f32x4.mul (local.get $b) (local.get $b)) (f32x4.mul (local.get $d) (local.get $d)))))
        (local.set $low (f64x2.add (local.get $low) (f64x2.promote_low_f32x4 (local.get $a))))
        (local.set $high (f64x2.add (local.get $high)
          (f64x2.promote_low_f32x4
            (i8x16.shuffle 8 9 10 11 12 13 14 15 8 9 10 11 12 13 14 15 (local.get $a) (local.get $a)))))
        (local.set $at (i32.add (local.get $at) (i32.const 64)))
        (br $blocks)))
    (block $ones_done
      (loop $ones
        (br_if $ones_done (i32.eq (local.get $at) (local.get $end)))
        (local.set $one (f64.promote_f32 (f32.load (local.get $at))))
        (local.set $low (f64x2.replace_lane 0 (local.get $low)
          (f64.add (f64x2.extract_lane 0 (local.get $low)) (f64.mul (local.get $one) (local.get $one)))))
        (local.set $at (i32.add (local.get $at) (i32.const 4)))
        (br $ones)))
    (f64.add
      (f64.add (f64x2.extract_lane 0 (local.get $low)) (f64x2.extract_lane 1 (local.get $low)))
      (f64.add (f64x2.extract_lane 0 (local.get $high)) (f64x2.extract_lane 1 (local.get $high)))))

  ;; sum[i] += trunc(value[i] * factor): float32 from $at to $end, float64 from $sum on.
  (func (export "addTruncated") (param $sum i32) (param $at i32) (param $end i32) (param $factor f64)
    (local $factors v128)
    (local.set $factors (f64x2.splat (local.get $factor)))
    (block $fours_done
      (loop $fours
        (br_if $fours_done (i32.lt_u (i32.sub (local.get $end) (local.get $at)) (i32.const 16)))
        (v128.store (local.get $sum)
          (f64x2.add (v128.load (local.get $sum))
            (f64x2.trunc (f64x2.mul
              (f64x2.promote_low_f32x4 (v128.load64_zero (local.get $at))) (local.get $factors)))))
        (v128.store offset=16 (local.get $sum)
          (f64x2.add (v128.load offset=16 (local.get $sum))
            (f64x2.trunc (f64x2.mul
              (f64x2.promote_low_f32x4 (v128.load64_zero offset=8 (local.get $at))) (local.get $factors)))))
        (local.set $at (i32.add (local.get $at) (i32.const 16)))
        (local.set $sum (i32.add (local.get $sum) (i32.const 32)))
        (br $fours)))
    (block $ones_done
      (loop $ones
        (br_if $ones_done (i32.eq (local.get $at) (local.get $end)))
        (f64.store (local.get $sum)
          (f64.add (f64.load (local.get $sum))
            (f64.trunc (f64.mul (f64.promote_f32 (f32.load (local.get $at))) (local.get $factor)))))
        (local.set $at (i32.add (local.get $at) (i32.const 4)))
        (local.set $sum (i32.add (local.get $sum) (i32.const 8)))
        (br $ones))))

  ;; The same for four vectors at once, whose values are added to each other first: a quarter of the passes over the sum. $end is that of the first.
  (func (export "addFourTruncated") (param $sum i32) (param $end i32)
    (param $at0 i32) (param $at1 i32) (param $at2 i32) (param $at3 i32)
    (param $factor0 f64) (param $factor1 f64) (param $factor2 f64) (param $factor3 f64)
    (local $factors0 v128) (local $factors1 v128) (local $factors2 v128) (local $factors3 v128)
    (local.set $factors0 (f64x2.splat (local.get $factor0)))
    (local.set $factors1 (f64x2.splat (local.get $factor1)))
    (local.set $factors2 (f64x2.splat (local.get $factor2)))
    (local.set $factors3 (f64x2.splat (local.get $factor3)))
    (block $fours_done
      (loop $fours
        (br_if $fours_done (i32.lt_u (i32.sub (local.get $end) (local.get $at0)) (i32.const 16)))
        (v128.store (local.get $sum)
          (f64x2.add (v128.load (local.get $sum))
            (f64x2.add
              (f64x2.add
                (f64x2.trunc (f64x2.mul (f64x2.promote_low_f32x4 (v128.load64_zero (local.get $at0))) (local.get $factors0)))
                (f64x2.trunc (f64x2.mul (f64x2.promote_low_f32x4 (v128.load64_zero (local.get $at1))) (local.get $factors1))))
              (f64x2.add
                (f64x2.trunc (f64x2.mul (f64x2.promote_low_f32x4 (v128.load64_zero (local.get $at2))) (local.get $factors2)))
                (f64x2.trunc (f64x2.mul (f64x2.promote_low_f32x4 (v128.load64_zero (local.get $at3))) (local.get $factors3)))))))
        (v128.store offset=16 (local.get $sum)
          (f64x2.add (v128.load offset=16 (local.get $sum))
            (f64x2.add
              (f64x2.add
                (f64x2.trunc (f64x2.mul (f64x2.promote_low_f32x4 (v128.load64_zero offset=8 (local.get $at0))) (local.get $factors0)))
                (f64x2.trunc (f64x2.mul (f64x2.promote_low_f32x4 (v128.load64_zero offset=8 (local.get $at1))) (local.get $factors1))))
              (f64x2.add
                (f64x2.trunc (f64x2.mul (f64x2.promote_low_f32x4 (v128.load64_zero offset=8 (local.get $at2))) (local.get $factors2)))
                (f64x2.trunc (f64x2.mul (f64x2.promote_low_f32x4 (v128.load64_zero offset=8 (local.get $at3))) (local.get $factors3)))))))
        (local.set $at0 (i32.add (local.get $at0) (i32.const 16)))
        (local.set $at1 (i32.add (local.get $at1) (i32.const 16)))
        (local.set $at2 (i32.add (local.get $at2) (i32.const 16)))
        (local.set $at3 (i32.add (local.get $at3) (i32.const 16)))
        (local.set $sum (i32.add (local.get $sum) (i32.const 32)))
        (br $fours)))
    (block $ones_done
      (loop $ones
        (br_if $ones_done (i32.eq (local.get $at0) (local.get $end)))
        (f64.store (local.get $sum)
          (f64.add (f64.load (local.get $sum))
            (f64.add
              (f64.add
                (f64.trunc (f64.mul (f64.promote_f32 (f32.load (local.get $at0))) (local.get $factor0)))
                (f64.trunc (f64.mul (f64.promote_f32 (f32.load (local.get $at1))) (local.get $factor1))))
              (f64.add
                (f64.trunc (f64.mul (f64.promote_f32 (f32.load (local.get $at2))) (local.get $factor2)))
                (f64.trunc (f64.mul (f64.promote_f32 (f32.load (local.get $at3))) (local.get $factor3)))))))
        (local.set $at0 (i32.add (local.get $at0) (i32.const 4)))
        (local.set $at1 (i32.add (local.get $at1) (i32.const 4)))
        (local.set $at2 (i32.add (local.get $at2) (i32.const 4)))
        (local.set $at3 (i32.add (local.get $at3) (i32.const 4)))
        (local.set $sum (i32.add (local.get $sum) (i32.const 8)))
        (br $ones))))

  ;; sum[i] += round(value[i] * factor), product and rounding in float32: from $at to $end. Added to 3 * 2^22, a number below 2^22 loses all that stands behind
  ;; its point, and the bits of the result are 0x4B400000 more than the integer. Halves become even.
  (func (export "addRounded") (param $sum i32) (param $at i32) (param $end i32) (param $factor f32)
    (local $factors v128) (local $magics v128) (local $steps v128)
    (local.set $factors (f32x4.splat (local.get $factor)))
    (local.set $magics (f32x4.splat (f32.const 0x1.8p23)))
    (block $fours_done
      (loop $fours
        (br_if $fours_done (i32.lt_u (i32.sub (local.get $end) (local.get $at)) (i32.const 16)))
        (local.set $steps
          (i32x4.sub
            (f32x4.add (f32x4.mul (v128.load (local.get $at)) (local.get $factors)) (local.get $magics))
            (local.get $magics)))
        (v128.store (local.get $sum)
          (f64x2.add (v128.load (local.get $sum)) (f64x2.convert_low_i32x4_s (local.get $steps))))
        (v128.store offset=16 (local.get $sum)
          (f64x2.add (v128.load offset=16 (local.get $sum))
            (f64x2.convert_low_i32x4_s
              (i8x16.shuffle 8 9 10 11 12 13 14 15 8 9 10 11 12 13 14 15 (local.get $steps) (local.get $steps)))))
        (local.set $at (i32.add (local.get $at) (i32.const 16)))
        (local.set $sum (i32.add (local.get $sum) (i32.const 32)))
        (br $fours)))
    (block $ones_done
      (loop $ones
        (br_if $ones_done (i32.eq (local.get $at) (local.get $end)))
        (f64.store (local.get $sum)
          (f64.add (f64.load (local.get $sum))
            (f64.convert_i32_s
              (i32.sub
                (i32.reinterpret_f32 (f32.add (f32.mul (f32.load (local.get $at)) (local.get $factor)) (f32.const 0x1.8p23)))
                (i32.const 0x4B400000)))))
        (local.set $at (i32.add (local.get $at) (i32.const 4)))
        (local.set $sum (i32.add (local.get $sum) (i32.const 8)))
        (br $ones))))

  ;; The same for eight vectors at once, whose integers are added to each other first, modulo 2^32; eight times 0x4B400000 is 0x5A000000 more than a multiple
  ;; of that. $end is that of the first.
  (func (export "addEightRounded") (param $sum i32) (param $end i32)
    (param $at0 i32) (param $at1 i32) (param $at2 i32) (param $at3 i32)
    (param $at4 i32) (param $at5 i32) (param $at6 i32) (param $at7 i32)
    (param $factor0 f32) (param $factor1 f32) (param $factor2 f32) (param $factor3 f32)
    (param $factor4 f32) (param $factor5 f32) (param $factor6 f32) (param $factor7 f32)
    (local $factors0 v128) (local $factors1 v128) (local $factors2 v128) (local $factors3 v128)
    (local $factors4 v128) (local $factors5 v128) (local $factors6 v128) (local $factors7 v128)
    (local $magics v128) (local $excess v128) (local $steps v128)
    (local.set $factors0 (f32x4.splat (local.get $factor0)))
    (local.set $factors1 (f32x4.splat (local.get $factor1)))
    (local.set $factors2 (f32x4.splat (local.get $factor2)))
    (local.set $factors3 (f32x4.splat (local.get $factor3)))
    (local.set $factors4 (f32x4.splat (local.get $factor4)))
    (local.set $factors5 (f32x4.splat (local.get $factor5)))
    (local.set $factors6 (f32x4.splat (local.get $factor6)))
    (local.set $factors7 (f32x4.splat (local.get $factor7)))
    (local.set $magics (f32x4.splat (f32.const 0x1.8p23)))
    (local.set $excess (i32x4.splat (i32.const 0x5A000000)))
    (block $fours_done
      (loop $fours
        (br_if $fours_done (i32.lt_u (i32.sub (local.get $end) (local.get $at0)) (i32.const 16)))
        (local.set $steps
          (i32x4.sub
            (i32x4.add
              (i32x4.add
                (i32x4.add
                  (f32x4.add (f32x4.mul (v128.load (local.get $at0)) (local.get $factors0)) (local.get $magics))
                  (f32x4.add (f32x4.mul (v128.load (local.get $at1)) (local.get $factors1)) (local.get $magics)))
                (i32x4.add
                  (f32x4.add (f32x4.mul (v128.load (local.get $at2)) (local.get $factors2)) (local.get $magics))
                  (f32x4.add (f32x4.mul (v128.load (local.get $at3)) (local.get $factors3)) (local.get $magics))))
              (i32x4.add
                (i32x4.add
                  (f32x4.add (f32x4.mul (v128.load (local.get $at4)) (local.get $factors4)) (local.get $magics))
                  (f32x4.add (f32x4.mul (v128.load (local.get $at5)) (local.get $factors5)) (local.get $magics)))
                (i32x4.add
                  (f32x4.add (f32x4.mul (v128.load (local.get $at6)) (local.get $factors6)) (local.get $magics))
                  (f32x4.add (f32x4.mul (v128.load (local.get $at7)) (local.get $factors7)) (local.get $magics)))))
            (local.get $excess)))
        (v128.store (local.get $sum)
          (f64x2.add (v128.load (local.get $sum)) (f64x2.convert_low_i32x4_s (local.get $steps))))
        (v128.store offset=16 (local.get $sum)
          (f64x2.add (v128.load offset=16 (local.get $sum))
            (f64x2.convert_low_i32x4_s
              (i8x16.shuffle 8 9 10 11 12 13 14 15 8 9 10 11 12 13 14 15 (local.get $steps) (local.get $steps)))))
        (local.set $at0 (i32.add (local.get $at0) (i32.const 16)))
        (local.set $at1 (i32.add (local.get $at1) (i32.const 16)))
        (local.set $at2 (i32.add (local.get $at2) (i32.const 16)))
        (local.set $at3 (i32.add (local.get $at3) (i32.const 16)))
        (local.set $at4 (i32.add (local.get $at4) (i32.const 16)))
        (local.set $at5 (i32.add (local.get $at5) (i32.const 16)))
        (local.set $at6 (i32.add (local.get $at6) (i32.const 16)))
        (local.set $at7 (i32.add (local.get $at7) (i32.const 16)))
        (local.set $sum (i32.add (local.get $sum) (i32.const 32)))
        (br $fours)))
    (block $ones_done
      (loop $ones
        (br_if $ones_done (i32.eq (local.get $at0) (local.get $end)))
        (f64.store (local.get $sum)
          (f64.add (f64.load (local.get $sum))
            (f64.convert_i32_s
              (i32.sub
                (i32.add
                  (i32.add
                    (i32.add
                      (i32.reinterpret_f32 (f32.add (f32.mul (f32.load (local.get $at0)) (local.get $factor0)) (f32.const 0x1.8p23)))
                      (i32.reinterpret_f32 (f32.add (f32.mul (f32.load (local.get $at1)) (local.get $factor1)) (f32.const 0x1.8p23))))
                    (i32.add
                      (i32.reinterpret_f32 (f32.add (f32.mul (f32.load (local.get $at2)) (local.get $factor2)) (f32.const 0x1.8p23)))
                      (i32.reinterpret_f32 (f32.add (f32.mul (f32.load (local.get $at3)) (local.get $factor3)) (f32.const 0x1.8p23)))))
                  (i32.add
                    (i32.add
                      (i32.reinterpret_f32 (f32.add (f32.mul (f32.load (local.get $at4)) (local.get $factor4)) (f32.const 0x1.8p23)))
                      (i32.reinterpret_f32 (f32.add (f32.mul (f32.load (local.get $at5)) (local.get $factor5)) (f32.const 0x1.8p23))))
                    (i32.add
                      (i32.reinterpret_f32 (f32.add (f32.mul (f32.load (local.get $at6)) (local.get $factor6)) (f32.const 0x1.8p23)))
                      (i32.reinterpret_f32 (f32.add (f32.mul (f32.load (local.get $at7)) (local.get $factor7)) (f32.const 0x1.8p23))))))
                (i32.const 0x5A000000)))))
        (local.set $at0 (i32.add (local.get $at0) (i32.const 4)))
        (local.set $at1 (i32.add (local.get $at1) (i32.const 4)))
        (local.set $at2 (i32.add (local.get $at2) (i32.const 4)))
        (local.set $at3 (i32.add (local.get $at3) (i32.const 4)))
        (local.set $at4 (i32.add (local.get $at4) (i32.const 4)))
        (local.set $at5 (i32.add (local.get $at5) (i32.const 4)))
        (local.set $at6 (i32.add (local.get $at6) (i32.const 4)))
        (local.set $at7 (i32.add (local.get $at7) (i32.const 4)))
        (local.set $sum (i32.add (local.get $sum) (i32.const 8)))
        (br $ones))))

  ;; into[i] = a[i] * factor + shift + b[i] in float32, four at a time from $into to $end, which is a multiple of four elements away.
  (func (export "addScaled") (param $into i32) (param $end i32) (param $a i32) (param $b i32) (param $factor f32) (param $shift f32)
    (local $factors v128) (local $shifts v128)
    (local.set $factors (f32x4.splat (local.get $factor)))
    (local.set $shifts (f32x4.splat (local.get $shift)))
    (block $done
      (loop $fours
        (br_if $done (i32.ge_u (local.get $into) (local.get $end)))
        (v128.store (local.get $into)
          (f32x4.add
            (f32x4.add (f32x4.mul (v128.load (local.get $a)) (local.get $factors)) (local.get $shifts))
            (v128.load (local.get $b))))
        (local.set $a (i32.add (local.get $a) (i32.const 16)))
        (local.set $b (i32.add (local.get $b) (i32.const 16)))
        (local.set $into (i32.add (local.get $into) (i32.const 16)))
        (br $fours)))))
