//! Textiles.

use super::super::goods::{Item, Shelf};

/// What stands on it.
pub(crate) const SHELF: Shelf = Shelf {
    category: "Textiles",
    seller: 3,
    light: [0x00D8_CADD, 0x00FA_F4F6, 0x00BB_A6C0],
    items: &[
        Item {
            title: "Merino wool throw",
            rupees: 3499,
            stock: 13,
            stands: true,
            words: "Fine merino from Himachal, woven in a herringbone and fringed by hand. Light enough for a \
                    lap and warm enough for a balcony in January. Softens with every wash.",
            drawing: "t p 18 84 82 84 84 68 16 68;t+ r 15 56 70 16 7;t r 17 66 66 18 8;n l 1.2 30 57 30 84;n l \
                      1.2 34 57 34 84;n l 1.2 62 57 62 84;n l 1.2 66 57 66 84;t-f c .7 17 71 50 73 84 71;t+ s \
                      24 54 34 44 60 42 76 48 78 58 50 61 24 60;n c 1 32 46 36 54 36 60;n c 1 62 43 66 52 66 \
                      59;t- l .7 20 84 20 88;t- l .7 26 84 26 88;t- l .7 38 84 38 88;t- l .7 44 84 44 88;t- l \
                      .7 50 84 50 88;t- l .7 56 84 56 88;t- l .7 72 84 72 88;t- l .7 78 84 78 88",
        },
        Item {
            title: "Block-print bed sheet",
            rupees: 2299,
            stock: 19,
            stands: true,
            words: "Printed with carved teak blocks in Bagru, each repeat set by eye. Pure cotton percale, cool \
                    in May. A double sheet and two pillowcases.",
            drawing: "i- r 17 66 66 18 5;w r 16 58 68 14 6;w- r 17 60 66 24 6;i e 28 68 3 2;i e 40 68 3 2;i e \
                      52 68 3 2;i e 64 68 3 2;i e 76 68 3 2;r e 34 76 2.4 1.7;r e 46 76 2.4 1.7;r e 58 76 2.4 \
                      1.7;r e 70 76 2.4 1.7;i l .8 17 81 83 81;w s 24 44 50 40 76 44 82 52 76 60 50 61 24 60 18 \
                      52;i o .7 50 50.6 25 7;i e 40 50 2.8 2.2;r e 50 49.4 2.8 2.2;i e 60 50 2.8 2.2",
        },
        Item {
            title: "Linen cushion cover",
            rupees: 699,
            stock: 57,
            stands: true,
            words: "Stonewashed linen with a hidden zip and a piped edge. The colour is dyed in the yarn and \
                    stays. For a cushion of 45 by 45 centimetres.",
            drawing: "e s 24 30 50 34 76 30 80 34 76 57 80 80 76 85 50 81 24 85 20 81 24 57 20 34;e-f c .7 24 \
                      32 50 36 76 32;e-f c .7 24 83 50 79 76 83;e+ c .8 22 33 26 57 22 82;e- c .8 78 33 74 57 \
                      78 82;w35f c .6 32 46 50 48 68 46;w35f c .6 31 57 50 59 69 57;w35f c .6 32 68 50 70 68 \
                      68;e- c 1 46 58 50 56 54 58",
        },
        Item {
            title: "Handloom cotton towel",
            rupees: 549,
            stock: 64,
            stands: true,
            words: "A waffle weave from Kannur that dries in an hour even in the rains. Takes up little room in \
                    a bag. 70 by 140 centimetres.",
            drawing: "d r 14 22 72 3 1.5;d- e 14 23.5 2.4 2.4;d- e 86 23.5 2.4 2.4;l- p 32 24 70 24 70 70 34 \
                      70;l p 28 23 66 23 66 82 28 82;w r 28 68 38 3 0;w r 28 73 38 1.4 0;l-40f l .5 36 24 36 \
                      66;l-40f l .5 44 24 44 66;l-40f l .5 52 24 52 66;l-40f l .5 60 24 60 66;l-40f l .5 29 34 \
                      65 34;l-40f l .5 29 44 65 44;l-40f l .5 29 54 65 54;w l .8 32 82 32 86;w l .8 40 82 40 \
                      86;w l .8 48 82 48 86;w l .8 56 82 56 86;w l .8 63 82 63 86",
        },
        Item {
            title: "Quilted table runner",
            rupees: 999,
            stock: 25,
            stands: true,
            words: "Two layers of cotton with a light filling, quilted in waves. It keeps hot dishes off the \
                    wood and hides the mark that is there already. 35 by 180 centimetres.",
            drawing: "d p 8 66 92 66 98 72 2 72;d- r 4 72 92 4 1;d- r 10 76 4 12 0;d- r 86 76 4 12 0;g p 34 64 \
                      66 64 70 72 30 72;g- p 30 72 70 72 69 88 50 94 31 88;w55f c .6 33 76 42 78 50 76 58 78 67 \
                      76;w55f c .6 33 81 42 83 50 81 58 83 67 81;w55f c .6 34 86 42 88 50 86 58 88 66 86;w v 50 \
                      3 40 5 46 9 54 10 60 6 65;r e 44 33 5 5;p e 55 31 5.4 5.4;y e 50 26 5 5;g c .9 44 38 48 \
                      41;g c .9 55 37 51 41;g c .9 50 31 50 41;y e 44 33 1.8 1.8;r e 55 31 1.8 1.8",
        },
        Item {
            title: "Jute door mat",
            rupees: 499,
            stock: 80,
            stands: true,
            words: "Braided jute, thick enough to take the mud off at once. Beat it on the wall and it is \
                    clean. For a dry threshold; jute does not like standing water.",
            drawing: "o- e 50 70 38 17;o e 50 68.6 38 17;d-f o 1 50 68.6 33 14.4;o+f o 1 50 68.6 28 12;d-f o 1 \
                      50 68.6 23 9.6;o+f o 1 50 68.6 18 7.4;d-f o 1 50 68.6 13 5.2;o+f o 1 50 68.6 8 3;e e 50 \
                      68.6 4 1.5",
        },
        Item {
            title: "Silk scarf in indigo",
            rupees: 1899,
            stock: 8,
            stands: false,
            words: "Mulberry silk dipped nine times in natural indigo. The white is what the thread held back, \
                    so no two are alike. 90 centimetres square, hemmed by hand.",
            drawing: "i- s 34 22 46 30 52 46 42 60 36 88 24 84 28 58 22 40;i s 60 18 70 28 64 44 56 60 70 86 54 \
                      92 44 62 46 44;i+ s 34 20 50 26 64 18 68 26 56 38 46 40 34 32;w60f o 1 40 60 3 3;w60f o 1 \
                      60 70 4 4;w60f o 1 34 74 2.6 2.6;w60f o 1 56 50 2.6 2.6;w60f o .9 50 29 3.4 2.4;w60f c .8 \
                      58 80 63 84 60 88",
        },
        Item {
            title: "Kantha stitched quilt",
            rupees: 4299,
            stock: 5,
            stands: true,
            words: "Old saris layered and held by thousands of running stitches, in Bengal, by women who sign \
                    their work. Reversible, light and washable. The one in the picture is not the one you get; \
                    each is the only one.",
            drawing: "r r 16 60 68 24 7;y r 16 64 17 20 3;e r 33 64 17 20 0;p r 50 64 17 20 0;i r 67 64 17 20 \
                      3;r+ r 15 54 70 14 7;v r 16 46 68 12 6;w70f l .5 20 70 30 70;w70f l .5 20 75 30 75;w70f l \
                      .5 20 80 30 80;w70f l .5 36 70 47 70;w70f l .5 36 75 47 75;w70f l .5 36 80 47 80;w70f l \
                      .5 53 70 64 70;w70f l .5 53 75 64 75;w70f l .5 53 80 64 80;w70f l .5 70 70 80 70;w70f l \
                      .5 70 75 80 75;w70f l .5 70 80 80 80;w60f c .6 20 60 50 62 80 60;w60f c .6 20 51 50 53 80 \
                      51",
        },
    ],
};
