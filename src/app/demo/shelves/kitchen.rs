//! Kitchen.

use super::super::goods::{Item, Shelf};

/// What stands on it.
pub(crate) const SHELF: Shelf = Shelf {
    category: "Kitchen",
    seller: 1,
    light: [0x00E6_D0BA, 0x00FC_F5EA, 0x00C9_9F80],
    items: &[
        Item {
            title: "Cast iron skillet",
            rupees: 1999,
            stock: 26,
            stands: true,
            words: "Seasoned with linseed oil, so it is ready for the first dosa. Goes from the hob into the \
                    oven and on to the table. Treated well, it outlives its owner.",
            drawing: "k- r 66 57 28 5.6 2.8;z e 90 59.8 1.6 1;k m 42 28 60 25 74 21 80;k+ e 42 60 28.6 8;k- e \
                      42 60.4 25.6 6.4;z55f e 42 61.4 23 5;y+f e 37 60.4 9 2.6;y e 36 60 3.6 1.5;w40f c .8 20 \
                      57 30 54.6 44 54;k- p 12 58 16 61 15 64",
        },
        Item {
            title: "Copper water bottle",
            rupees: 1149,
            stock: 35,
            stands: true,
            words: "Hammered by hand in Moradabad, with a steel screw cap that does not leak. Water kept in \
                    copper overnight is an old habit and tastes of nothing but cold. Holds 950 ml.",
            drawing: "c v 50 5 27 6 33 14 40 15 56 15 72 13.6 83;s r 44 18 12 9.6 2;s- l .5 44 21 56 21;s- l .5 \
                      44 24 56 24;c+35f e 44 48 2 2;c+35f e 49 55 2 2;c+35f e 43 61 2 2;c+35f e 50 68 2 2;c-40f \
                      e 56 50 2 2;c-40f e 57 62 2 2;c-40f e 55 73 2 2;w45f c 1.4 39.6 42 38.6 56 39.6 74",
        },
        Item {
            title: "Stoneware mug, set of four",
            rupees: 1299,
            stock: 18,
            stands: true,
            words: "Four mugs in four glazes that belong together and are never mixed up. Thick enough to keep \
                    tea warm, thin enough to drink from. Safe in the dishwasher and the microwave.",
            drawing: "e o 2.4 76 52 5.4 7;e m 66 9.6 43 8.6 62;e+ e 66 43 9.6 2.4;d- e 66 43.4 8 1.7;p o 2.4 24 \
                      52 5.4 7;p m 35 9.6 43 8.6 62;p+ e 35 43 9.6 2.4;d- e 35 43.4 8 1.7;n o 2.8 22 72 6 8;n m \
                      37 12 61 10.6 84;w e 37 61 12 3;d- e 37 61.4 10 2.1;i o 2.8 78 72 6 8;i m 63 12 61 10.6 \
                      84;i+ e 63 61 12 3;d- e 63 61.4 10 2.1;x50f c .9 29 66 28.6 72 30 79;x40f c .9 55 66 54.6 \
                      72 56 79",
        },
        Item {
            title: "Walnut chopping board",
            rupees: 1499,
            stock: 31,
            stands: true,
            words: "End-grain walnut that is kind to knives and closes over its own cuts. Two sides, one with a \
                    groove for juice. Oil it once a month and it stays dark.",
            drawing: "d r 27 18 46 66 7;d+f c .6 33 26 36 44 32 62 35 78;d+f c .6 42 22 45 42 41 60 44 80;d-f c \
                      .6 50 30 53 48 49 66 52 81;d+f c .6 58 24 61 44 57 60 60 80;d-f c .6 66 26 68 46 65 62 67 \
                      78;d- o 1.6 50 26 5 5;n e 50 26 4 4;g s 62 78 72 70 78 74 72 82;r e 30 80 5 5;r+ e 28.6 \
                      78.4 1.4 1.2;g- l .8 30 75 31 72",
        },
        Item {
            title: "Steel masala box",
            rupees: 999,
            stock: 40,
            stands: true,
            words: "Seven small bowls in one round box, with two lids, so that turmeric stays yellow and chilli \
                    stays in its place. The inner lid seals when the outer one is closed. Comes with two \
                    spoons.",
            drawing: "s m 50 36 56 34 80;s+ e 50 56 36 15;s- e 50 57 32.6 12.6;k20f e 50 58 31 11.4;s+ e 50 57 \
                      9.4 3.8;y e 50 56.6 8 3;s+ e 31 57 8.6 3.6;r e 31 56.6 7.2 2.8;s+ e 69 57 8.6 3.6;d e 69 \
                      56.6 7.2 2.8;s+ e 40 49.6 8.6 3.4;g e 40 49.2 7.2 2.6;s+ e 60 49.6 8.6 3.4;t e 60 49.2 \
                      7.2 2.6;s+ e 40 64.6 8.6 3.6;n e 40 64.2 7.2 2.8;s+ e 60 64.6 8.6 3.6;z e 60 64.2 7.2 \
                      2.8;x50f c 1 18 66 24 73 36 77",
        },
        Item {
            title: "Pour-over coffee dripper",
            rupees: 1249,
            stock: 4,
            stands: true,
            words: "A ceramic cone over a glass jug, for one person who is not in a hurry. The spiral inside \
                    lets the water run evenly. Fits common size 02 filters.",
            drawing: "l45 m 50 9 56 18 74 15 84;d80 m 50 16.6 69 17.6 74 14.4 83;x40f c 1 36 66 34.6 74 37 \
                      80;l- o 2 71 70 6 7.4;w r 33 52 34 4.4 2;w m 50 23 26 7 53;w- e 50 26 23 4.6;d e 50 26.8 \
                      19 3.2;w- o 2.6 75 36 6 6.4;n-f c .7 32 32 44 50 46 52;n-f c .7 41 31 48 44 49.6 52;z15f \
                      c 1 64 31 58 44 54 52;x60f c 1.2 47 18 44 13 48 8;x40f c 1.2 54 18 57 12 53 6",
        },
        Item {
            title: "Cotton apron with pockets",
            rupees: 749,
            stock: 52,
            stands: false,
            words: "Heavy cotton canvas with two deep pockets and a loop for the towel. The straps cross at the \
                    back, so nothing pulls at the neck. Washes at sixty degrees.",
            drawing: "k c 1.6 40 22 42 10 50 7 58 10 60 22;i p 38 20 62 20 66 40 78 44 76 88 24 88 22 44 34 \
                      40;i- p 38 20 62 20 62.8 25 37.2 25;i- r 31 56 17 17 2;i- r 52 56 17 17 2;y l .5 32 58 47 \
                      58;y l .5 53 58 68 58;i l 1.6 22 46 12 54;i l 1.6 78 46 88 54;o r 57 50 2.4 12 1;o- e \
                      58.2 49 3 3.6;w p 35 53 43 50 45 58 35 58",
        },
        Item {
            title: "Enamel tea kettle",
            rupees: 1799,
            stock: 15,
            stands: true,
            words: "Enamelled steel with a wooden grip, made for gas, induction and campfires. The spout pours \
                    without a drop beside the cup. One and a half litres, enough for six.",
            drawing: "e c 5 66 66 76 58 82 50;e v 46 5 44 17 50 24 62 25 74 19 84;e- l 1 27 52 65 52;e m 46 4 \
                      41 13 45 16 49;k e 46 40 3 2.6;d c 3 30 46 34 22 58 22 62 46;o c 3.4 38 25 46 21.6 54 \
                      25;x50f c 1.4 26 58 23.4 66 26 76;w70f e 50 68 3 3;w70f e 44 72 2 2;w70f e 56 73 2 2;w70f \
                      e 46 63 1.6 1.6",
        },
    ],
};
