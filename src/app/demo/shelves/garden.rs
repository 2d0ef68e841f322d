//! Garden.

use super::super::goods::{Item, Shelf};

/// What stands on it.
pub(crate) const SHELF: Shelf = Shelf {
    category: "Garden",
    seller: 5,
    light: [0x00BF_D9B7, 0x00F6_FAE8, 0x00A4_BD8B],
    items: &[
        Item {
            title: "Terracotta planter",
            rupees: 449,
            stock: 90,
            stands: true,
            words: "Fired low, so that roots breathe and water does not stand. With a saucer, and a hole where \
                    it belongs. The white bloom that comes with the years is part of it.",
            drawing: "g c 1.4 50 44 42 30 32 24;g c 1.4 50 44 50 26 52 14;g c 1.4 50 44 60 30 70 24;g s 32 24 \
                      24 20 22 28 30 30;g+ s 40 30 32 36 36 40 44 36;g s 52 14 44 12 46 24 52 26;g- s 52 14 60 \
                      14 58 24 52 26;g s 70 24 78 20 80 28 72 31;g+ s 60 31 68 36 64 41 56 38;g- s 50 34 42 30 \
                      40 38 48 42;t- e 50 83 24 3.4;t m 50 20 50 15 82;t r 27 43 46 9 2;t- l .7 30 52.4 70 \
                      52.4;d- e 50 44 20 1.6",
        },
        Item {
            title: "Brass watering can",
            rupees: 1699,
            stock: 10,
            stands: true,
            words: "A long thin spout that reaches behind the fern. Brass, soldered by hand, one litre. Too \
                    handsome to be put away, so it will not be forgotten.",
            drawing: "b c 3.4 62 76 74 62 84 36;b p 80.6 36 87 33 89.4 38 84 40;b c 3 32 44 14 46 14 70 30 76;b \
                      m 46 14 44 20 84;b- e 46 44 14 3;b- l .8 28.6 60 63.4 60;b+ c 2.4 36 44 42 28 54 30 56 \
                      44;x40f c 1.6 34 52 31 64 29.6 78;l70f e 92 46 1 1.6;l70f e 90 54 1 1.6;l70f e 94 60 1 \
                      1.6",
        },
        Item {
            title: "Herb seed collection",
            rupees: 299,
            stock: 110,
            stands: true,
            words: "Tulsi, coriander, mint, fenugreek, dill and green chilli, enough for a windowsill twice \
                    over. Untreated seed of this year. With a card that says when and how deep.",
            drawing: "n p 22 84 40 84 38 36 20 38;g p 21 44 39 42 39.2 56 21.4 58;w e 30 50 5 5;g s 30 47 33 50 \
                      30 54 27 50;n p 60 84 78 84 80 38 62 36;r p 60.8 42 79.4 44 79 58 60.6 56;w e 70 50 5 \
                      5;r+ s 68 47 73 50 71 54 69 52;w p 39 86 61 86 61 32 39 32;w- p 39 32 61 32 61 37 39 37;e \
                      p 39 44 61 44 61 62 39 62;w e 50 53 7 7;g c 1 50 58 50 52 50 48;g s 50 52 45 48 44 52 48 \
                      54;g s 50 50 55 46 56 50 52 53;k40f l .7 43 68 57 68;k40f l .7 45 72 55 72;d e 34 87 1.2 \
                      .8;d e 37 88.4 1.2 .8;d e 66 87.6 1.2 .8;d e 63 89 1.2 .8",
        },
        Item {
            title: "Bamboo trellis",
            rupees: 599,
            stock: 34,
            stands: true,
            words: "Opens like a fan and folds like one. Ties of tarred string that hold for three monsoons. \
                    For beans, jasmine and whoever else wants to climb.",
            drawing: "o l 1.6 42 84 24 22;o l 1.6 46 84 37 18;o l 1.6 50 84 50 16;o l 1.6 54 84 63 18;o l 1.6 \
                      58 84 76 22;o- l 1.4 27 34 73 34;o- l 1.4 31 48 69 48;o- l 1.4 36 62 64 62;g c 1.2 50 84 \
                      44 70 54 58 44 44 54 32 48 20;g s 46 72 38 68 38 74 44 76;g+ s 54 60 62 56 62 63 56 64;g \
                      s 45 46 36 42 36 49 43 50;g- s 53 34 61 30 62 37 55 38;w e 41 58 2.4 2.4;y f;w e 60 46 \
                      2.4 2.4;p e 42 30 2.6 2.6;p e 56 22 2.6 2.6;d r 40 78 20 8 2",
        },
        Item {
            title: "Pruning shears",
            rupees: 899,
            stock: 27,
            stands: false,
            words: "Carbon steel that cuts a finger-thick branch without a crush. The spring is made to be \
                    replaced, and so is the blade. Left-handed people may ask for theirs.",
            drawing: "s s 50 50 46 36 50 18 58 14 60 30 56 48;s- s 50 50 58 38 68 26 72 30 66 42 56 52;r c 6 48 \
                      54 40 66 37 88;r c 6 56 54 66 64 72 86;r- c 1.4 45.6 60 39.6 70 38 86;b e 52.6 50 3.6 \
                      3.6;k e 52.6 50 1.4 1.4;s o .9 54 62 4 2;s o .9 54 65 4 2;g c 1.6 76 20 66 18 58 22;g s \
                      76 20 84 14 88 20 82 26;g+ s 70 18 74 10 80 10 76 18",
        },
        Item {
            title: "Hanging fern basket",
            rupees: 749,
            stock: 0,
            stands: false,
            words: "A coir basket on a chain with a Boston fern that has been with us for a year. Likes shade, \
                    a spray in the morning and company. Arrives in its own box with holes.",
            drawing: "k l .7 50 2 32 50;k l .7 50 2 68 50;k l .7 50 2 50 48;k o 1 50 3 2 2;g- c 2.4 46 52 30 42 \
                      14 56 10 72;g- c 2.4 54 52 70 42 86 56 90 72;g c 2.4 48 52 34 36 22 36 14 46;g c 2.4 52 \
                      52 66 36 78 36 86 46;g+ c 2.4 50 52 42 34 36 28 30 28;g+ c 2.4 50 52 58 34 64 28 70 28;g \
                      c 2.2 44 54 30 56 22 68 22 84;g c 2.2 56 54 70 56 78 68 78 84;d m 50 20 52 8 74;o m 50 \
                      20.6 50 19 56;d+f c .7 34 60 50 64 66 60;d+f c .7 36 67 50 71 64 67;g+ c 2 46 54 40 62 36 \
                      78 38 90;g+ c 2 54 54 60 62 64 78 62 90;g c 2 50 54 50 66 48 80",
        },
        Item {
            title: "Compost bin for kitchens",
            rupees: 1299,
            stock: 23,
            stands: true,
            words: "Five litres, a charcoal filter in the lid and nothing to smell. The inner pail lifts out \
                    and rinses clean. Coffee grounds, peels and tea leaves welcome.",
            drawing: "s c 2 28 50 26 28 74 28 72 50;w m 50 23 42 21 84;w- m 50 3 30 20 36 24 42;w e 50 31 4 \
                      2.4;g s 50 52 62 58 60 70 50 76 42 68 42 58;w c 1 48 73 50 64 54 58;w c .8 50.6 64 56 \
                      63;w c .8 50 67 45.6 64;k60f e 40 37 .9 .6;k60f e 45 36 .9 .6;k60f e 50 37.4 .9 .6;k60f e \
                      55 36 .9 .6;k60f e 60 37 .9 .6;x60f c 1.4 31 48 31.6 62 33 78",
        },
        Item {
            title: "Bird feeder in teak",
            rupees: 1099,
            stock: 14,
            stands: false,
            words: "Two perches, a slate roof and room for half a kilo of millet. Sparrows find it within a \
                    day, squirrels within two. Hangs from a branch by a leather cord.",
            drawing: "d c 1 50 0 48 8 50 16;k p 50 14 80 38 20 38;k+ p 50 14 80 38 76 38 50 18 24 38 20 38;l45 \
                      r 30 38 40 26 0;y p 31 52 40 48 56 52 69 47 69 64 31 64;y- e 38 56 1 .8;y- e 48 58 1 \
                      .8;y- e 60 55 1 .8;o r 28 38 3.6 30 0;o r 68.4 38 3.6 30 0;o r 20 64 60 6 1.6;o- l 1.6 14 \
                      74 28 70;d s 76 52 84 48 90 54 88 62 80 64 74 60;d- s 82 56 94 62 96 68 84 63;w s 77 58 \
                      84 60 80 64 76 62;y p 74 55 70 57 75 58;z e 78 54 .9 .9;k l .7 80 64 80 67",
        },
    ],
};
