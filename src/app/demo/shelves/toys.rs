//! Toys.

use super::super::goods::{Item, Shelf};

/// What stands on it.
pub(crate) const SHELF: Shelf = Shelf {
    category: "Toys",
    seller: 2,
    light: [0x00F5_CDC8, 0x00FF_F6EA, 0x00E6_AA86],
    items: &[
        Item {
            title: "Channapatna stacking rings",
            rupees: 799,
            stock: 46,
            stands: true,
            words: "Turned from ivory wood and coloured with vegetable lacquer that survives being chewed. \
                    Seven rings and a head that sometimes is a bell. From eighteen months.",
            drawing: "d e 50 82 26 3.4;r r 26 73 48 9.6 4.8;t r 28.6 64 42.8 9.4 4.7;y r 31 55.4 38 9 4.5;g r \
                      33.6 47 32.8 8.6 4.3;e r 36 39 28 8.2 4.1;i r 38.6 31.2 22.8 8 4;v r 41 23.6 18 7.8 3.9;r \
                      e 50 18 6 6;x55f e 48 15.6 1.6 1.4;x35f l 1 31 75.6 38 75.6;x35f l 1 35 57.6 42 57.6;x35f \
                      l 1 40 41 46 41",
        },
        Item {
            title: "Wooden train set",
            rupees: 2199,
            stock: 11,
            stands: true,
            words: "An engine, two wagons and 42 pieces of beech track with a bridge. Couples by magnet, so \
                    that it comes apart without tears. Fits the tracks you have already.",
            drawing: "d r 6 82 88 3 1;r r 60 56 24 20 3;k r 74 46 6 11 1;k- r 72.6 44 8.8 3 1;i r 56 42 16 34 \
                      2;l r 59.6 46 9 10 1;b e 84.6 66 2 5;y r 32 60 21 16 2;g r 8 60 21 16 2;o e 16 59 4 4;o e \
                      24 59 4 4;o e 20 56 4 4;t r 35 52 15 9 1;k e 14 78 4.6 4.6;k e 24 78 4.6 4.6;k e 37 78 \
                      4.6 4.6;k e 48 78 4.6 4.6;k e 62 77 5.6 5.6;k e 76 77 5.6 5.6;b e 62 77 2 2;b e 76 77 2 \
                      2;b e 14 78 1.6 1.6;b e 24 78 1.6 1.6;b e 37 78 1.6 1.6;b e 48 78 1.6 1.6;w70 e 80 34 5 \
                      4;w60 e 86 26 6 5",
        },
        Item {
            title: "Knitted elephant",
            rupees: 899,
            stock: 24,
            stands: true,
            words: "Organic cotton, a friendly trunk and ears that are easy to hold. Stuffed with corn fibre \
                    and washable at forty. Sits by itself, leans on nobody.",
            drawing: "l s 36 54 50 48 66 54 70 70 66 84 34 84 30 70;l- s 34 76 44 76 45 86 33 86;l- s 56 76 66 \
                      76 67 86 55 86;l- s 26 26 16 30 15 46 24 54 34 46;p s 25 31 19 35 19 45 25 49 31 43;l- s \
                      74 26 84 30 85 46 76 54 66 46;p s 75 31 81 35 81 45 75 49 69 43;l s 34 24 50 18 66 24 70 \
                      40 62 52 50 55 38 52 30 40;l c 8 50 44 50 58 52 66 60 68;l-f c .8 46.6 54 50 55.4 53.6 \
                      54;l-f c .8 46.8 59 50.4 60 54 59;z e 41 37 1.8 2;z e 59 37 1.8 2;x f;x e 41.6 36.4 .6 \
                      .6;x e 59.6 36.4 .6 .6;p70 e 37 43 2.6 1.8;p70 e 63 43 2.6 1.8;r c 2 36 56 50 60 64 56",
        },
        Item {
            title: "Story dice",
            rupees: 499,
            stock: 58,
            stands: true,
            words: "Nine wooden cubes with 54 little pictures: a key, a moon, a crocodile. Roll them and begin \
                    with once. Works in trains and waiting rooms.",
            drawing: "o p 28 58 48 54 54 74 34 79;o+ p 28 58 40 49 58 46 48 54;o- p 48 54 58 46 63 64 54 74;k e \
                      41 67 6 6;o e 43.6 65 5 5;n p 58 62 76 62 76 82 58 82;w p 58 62 64 55 82 55 76 62;n- p 76 \
                      62 82 55 82 74 76 82;r s 67 78 60 71 63 67 67 70 71 67 74 71;n p 36 30 54 27 58 44 40 \
                      48;w p 36 30 45 22 62 20 54 27;n- p 54 27 62 20 66 36 58 44;b o 1.4 43 36 2.6 2.6;b l 1.4 \
                      45 37.6 52 42;b l 1.2 49.6 40 48.4 42;b l 1.2 52 42 51 44;e e 72 58.4 3 1.2;i e 48 25 3 \
                      1.1",
        },
        Item {
            title: "Patchwork jigsaw tray",
            rupees: 699,
            stock: 30,
            stands: false,
            words: "Smooth pieces in many colours, with one way in which they fit and a hundred in which they \
                    almost do. Plywood, sanded round, in a tray that keeps them together. From five, and \
                    pleasant well beyond.",
            drawing: "o r 16 14 68 74 3;o- r 20 18 60 66 2;y s 42 22 50 20 54 28 48 34 42 32;t s 34 36 46 33 46 \
                      44 38 48 32 44;g s 47 33 58 36 60 44 47 45;e s 26 46 37 47 38 56 30 60 25 54;r s 39 47 50 \
                      46 52 56 40 58;i s 51 45 62 44 66 50 62 54 53 55;v s 67 44 74 42 76 48 70 52;p s 36 58 48 \
                      58 46 68 38 68;y- s 49 57 58 55 56 64 48 68;t s 40 69 49 68 50 76 46 82;g- s 38 69 40 69 \
                      45 82 42 76;l- e 56 78 1.4 2.6",
        },
        Item {
            title: "Spinning tops, pair",
            rupees: 249,
            stock: 100,
            stands: true,
            words: "Lacquered wood, a steel tip and a cotton cord. They sing while they spin and sulk when they \
                    fall. One for you and one for whoever says it is easy.",
            drawing: "r m 34 2.6 30 3 40 16 50 14 58 4 74 1 84;y m 34 15.6 51 14.6 55.6;w m 34 14 58 11 62;o r \
                      32.2 26 3.6 6 1.4;s m 34 1.6 80 .4 85;e s 58 56 70 50 82 58 82 68 72 76 60 72;y s 60 60 \
                      70 54 80 61 80 65 70 59 59 65;e- l 3.4 80 60 90 52;s l 2 60 70 53 78;x45f c 1.2 24 47 22 \
                      50 24 55;n c 1.2 50 84 60 88 74 82 86 88",
        },
        Item {
            title: "Shadow puppet theatre",
            rupees: 1599,
            stock: 9,
            stands: true,
            words: "A folding stage with a cotton screen, and six puppets of goatskin parchment in the manner \
                    of Andhra. Needs a torch and a dark room. The play is in the lid.",
            drawing: "d r 16 24 68 58 2;y+ r 21 30 58 42 1;y45 e 50 50 24 18;z s 40 36 45 34 48 39 46 44 50 50 \
                      49 60 52 70 44 70 43 60 38 52 34 56 32 54 38 46 39 42;z s 64 44 68 42 70 47 68 50 72 56 \
                      70 70 62 70 61 58 57 52 62 50;z l .8 45 70 45 76;z l .8 66 70 66 76;r s 14 20 32 22 24 40 \
                      22 62 26 74 15 78;r s 86 20 68 22 76 40 78 62 74 74 85 78;r- c .9 18 26 19 50 18 76;r- c \
                      .9 82 26 81 50 82 76;d+ r 14 18 72 8 2;b e 50 22 3 3;d+ r 14 76 72 8 2",
        },
        Item {
            title: "Building blocks in beech",
            rupees: 1799,
            stock: 32,
            stands: true,
            words: "Sixty blocks in eleven shapes, sanded and left bare. They make the right sound when they \
                    fall. In a cotton bag, which becomes a hat.",
            drawing: "o r 20 66 20 18 1;t r 42 66 16 18 1;o+ r 60 66 20 18 1;e r 24 50 14 16 1;y r 42 58 34 8 \
                      1;o p 42 58 58 58 50 44;r r 60 42 16 16 1;o- p 56 42 80 42 68 28;i s 24 50 24 42 31 38 38 \
                      42 38 50;o+ e 31 34 5 5;o-f c .5 22 72 30 73 38 71;o-f c .5 62 74 70 73 78 75;d30f e 68 \
                      50 4 4",
        },
    ],
};
