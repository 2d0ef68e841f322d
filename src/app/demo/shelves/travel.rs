//! Travel.

use super::super::goods::{Item, Shelf};

/// What stands on it.
pub(crate) const SHELF: Shelf = Shelf {
    category: "Travel",
    seller: 3,
    light: [0x00EF_CDA9, 0x00FE_F5E3, 0x00D6_A271],
    items: &[
        Item {
            title: "Canvas weekender bag",
            rupees: 3999,
            stock: 18,
            stands: true,
            words: "Waxed canvas, leather handles and a base that stands in the wet. Takes two nights, or three \
                    if you fold well. Fits under the seat of most trains.",
            drawing: "d c 2.6 34 46 36 24 50 20 64 24 66 46;g s 14 50 22 42 50 40 78 42 86 50 88 70 84 83 50 85 \
                      16 83 12 70;d s 13 74 50 77 87 74 85 83 50 85.6 15 83;g-f c .9 17 49 50 47 83 49;b l .8 \
                      20 47 80 47;d r 31 44 5 34 1;d r 64 44 5 34 1;b r 31.4 58 4.2 4.2 .6;b r 64.4 58 4.2 4.2 \
                      .6;g- r 42 56 16 12 2;y l .4 42.6 58 57.4 58;o p 76 52 84 54 83 66 75 64;b o .8 79 50 2 2",
        },
        Item {
            title: "Leather passport wallet",
            rupees: 1299,
            stock: 29,
            stands: false,
            words: "Vegetable-tanned, stitched in linen, with room for two passports and the boarding pass. A \
                    loop for a pen, since the form is always there and the pen never. Ages like a boot.",
            drawing: "w r 38 12 34 26 2;l r 38 12 34 6 2;k40f l .7 42 24 60 24;k40f l .7 42 28 56 28;i r 28 18 \
                      36 30 2;b e 46 30 5 5;d r 22 26 56 62 4;d+f l .5 26 30 74 30;d+f l .5 26 84 74 84;d+f l \
                      .5 26 30 26 84;d+f l .5 74 30 74 84;b35 o 1 50 56 9 9;b35 l .8 41 56 59 56;b35 o .8 50 56 \
                      4 9;k l 2.2 81 34 81 80;b l 2.2 81 34 81 40;d- r 77.6 50 4.4 9 1",
        },
        Item {
            title: "Quick-dry travel towel",
            rupees: 649,
            stock: 70,
            stands: true,
            words: "Rolls to the size of a bottle and dries on the outside of a bag. Microfibre that does not \
                    cling. With a snap loop, so it hangs where there is no hook.",
            drawing: "e r 20 50 58 32 14;e- e 74 66 8 16;e+f o 1 74 66 5.6 12;e+f o 1 74 66 3 7;e+f c .8 74 66 \
                      75 63 76 67;w r 32 50 6 32 0;w r 41 50 2.4 32 0;k c 2 52 50 53 66 52 82;k c 2 61 50 62 66 \
                      61 82;k r 49.6 60 15 6 2;y c 1.6 25 56 14 58 14 72 22 76;s e 23 57 2 2",
        },
        Item {
            title: "Folding backpack",
            rupees: 1499,
            stock: 41,
            stands: true,
            words: "Eighteen litres that fold into a pocket. Ripstop nylon, taped seams, a sleeve for a bottle \
                    on each side. The spare bag that becomes the bag.",
            drawing: "k c 3 40 26 42 15 58 15 60 26;y s 26 42 30 26 50 20 70 26 74 42 76 76 70 84 30 84 24 \
                      76;y- s 32 60 50 57 68 60 70 78 64 82 36 82 30 78;k c 1 33 61 50 58.4 67 61;k c 1 29 44 \
                      50 40 71 44;k l 1.4 50 40 50 46;e r 20 58 7 22 3;e r 73 58 7 22 3;w s 50 30 55 36 50 38 \
                      45 36;k c 2 26 44 20 56 22 60;k c 2 74 44 80 56 78 60;k r 49 58.4 2 7 1",
        },
        Item {
            title: "Packing cubes, set of three",
            rupees: 1199,
            stock: 36,
            stands: true,
            words: "Three sizes, a mesh lid to see the socks through, and zips that take an overfull day. The \
                    small one is for cables. They turn a case into a chest of drawers.",
            drawing: "i r 18 62 64 22 4;k45f r 26 65 48 13 3;w l .9 19 80 81 80;b r 70 78.6 5 2.6 1;t r 24 42 \
                      52 20 4;k45f r 31 45 38 11 3;w l .9 25 58.4 75 58.4;b r 64 57 5 2.6 1;g r 31 25 38 17 \
                      4;k45f r 37 28 26 8 3;w l .9 32 38.6 68 38.6;b r 58 37.2 5 2.6 1;i- c 2 80 68 86 73 80 78",
        },
        Item {
            title: "Steel lunch tiffin",
            rupees: 899,
            stock: 50,
            stands: true,
            words: "Three tiers that stay shut until noon. Food-grade steel and a clamp that has been the same \
                    for eighty years, because it works. Each tier holds 400 ml.",
            drawing: "s c 2.4 34 40 34 16 50 14 66 16 66 40;s m 50 19 66 18 84;s m 50 19 48 18.4 66;s m 50 19 \
                      30 18.4 48;s- l .9 31 66 69 66;s- l .9 31 48 69 48;s+ m 50 10 25 18 28 19.6 32;s- l 2 31 \
                      32 31 80;s- l 2 69 32 69 80;k r 29 54 4 8 1;k r 67 54 4 8 1;x60f c 1.6 38 34 37.4 50 38 \
                      80;d r 43 12.6 14 4.4 2",
        },
        Item {
            title: "Neck pillow in memory foam",
            rupees: 999,
            stock: 22,
            stands: true,
            words: "Holds the head where it fell asleep. The cover comes off and washes; the foam packs down to \
                    a third. Clips to a bag by its button.",
            drawing: "v s 50 28 70 32 82 48 82 68 74 82 64 80 63 66 62 54 50 50 38 54 37 66 36 80 26 82 18 68 \
                      18 48 30 32;v+ c 1.6 26 46 36 36 50 34;v- c 1 30 80 28 66 33 52 50 46 67 52 72 66 70 80;k \
                      e 36 80 1.6 1.6;k e 64 80 1.6 1.6;w r 74 62 6 3 1",
        },
        Item {
            title: "Trekking umbrella",
            rupees: 1399,
            stock: 15,
            stands: true,
            words: "A canopy of 105 centimetres, ribs of glass fibre and a handle that straps to a pack. Silver \
                    outside against the sun, dark inside against the glare. Weighs 230 grams.",
            drawing: "k l 1.6 50 34 50 80;d c 2.6 50 76 50 84 56 86 59 81;r s 12 50 20 32 36 22 50 20 64 22 80 \
                      32 88 50 78 47 69 51 60 47 50 51 40 47 31 51 22 47;r- s 50 20 60 30 62 46 60 47 50 51 40 \
                      47 38 46 40 30;r+ c .6 50 20 36 30 31 51;r+ c .6 50 20 64 30 69 51;k l 1.6 50 15 50 \
                      21;x30f c 1.6 20 42 27 32 38 26",
        },
    ],
};
